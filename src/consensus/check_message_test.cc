#include <gtest/gtest.h>

#include <limits>

#include "consensus/libraft/lone_core.h"
#include "consensus/raft_core.h"

namespace cairn::consensus {
namespace {

AppendEntries Append(std::vector<log::Entry> entries) {
  return {Term(5),           Index(7), Term(3), Index(6), static_cast<uint32_t>(entries.size()),
          std::move(entries)};
}

InstallSnapshot Snapshot() {
  return {Term(5), Index(7), Term(3), Index(2), Voters({1, 2}, {3}).Encode(), Offset(9), "state"};
}

testing::AssertionResult IsRefused(const Message& message) {
  const absl::Status status = CheckMessage(message);
  if (status.code() == absl::StatusCode::kInvalidArgument) return testing::AssertionSuccess();
  return testing::AssertionFailure() << status;
}

testing::AssertionResult Taken(const Message& message) {
  const absl::Status status = CheckMessage(message);
  if (status.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << status;
}

TEST(CheckMessageTest, TakesWhatCoresSend) {
  EXPECT_TRUE(Taken(RequestVote{Term(5), Index(7), Term(3)}));
  EXPECT_TRUE(Taken(RequestVote{Term(1), Index(0), Term(0), true, true}));
  EXPECT_TRUE(Taken(RequestVoteResult{Term(5), true, true}));
  EXPECT_TRUE(Taken(Append({})));
  EXPECT_TRUE(Taken(Append(
      {BatchEntry(8, 3), ConfigurationEntry(9, 4, Voters({1})),
       log::MakeControlEntry(log::EntryKind::kBarrier, "", Index(10), Term(5), Offset(1), 0)})));
  EXPECT_TRUE(Taken(AppendEntriesResult{Term(5), Index(0), Index(7), Term(0)}));
  EXPECT_TRUE(Taken(AppendEntriesResult{Term(5), Index(7), Index(6), Term(2)}));
  EXPECT_TRUE(Taken(AppendEntriesResult{Term(5), Index(std::numeric_limits<uint64_t>::max()),
                                        Index(0), Term(0)}));
  EXPECT_TRUE(Taken(Snapshot()));
  EXPECT_TRUE(Taken(TimeoutNow{Term(5), Index(7), Term(3)}));
  EXPECT_TRUE(Taken(Probe{Term(5), 1}));
  EXPECT_TRUE(Taken(ProbeResult{Term(5), 1}));
}

TEST(CheckMessageTest, EveryMessageHasATerm) {
  for (const int32_t term : {0, -1, std::numeric_limits<int32_t>::min()}) {
    EXPECT_TRUE(IsRefused(RequestVote{Term(term)}));
    EXPECT_TRUE(IsRefused(RequestVoteResult{Term(term)}));
    EXPECT_TRUE(IsRefused(AppendEntries{Term(term)}));
    EXPECT_TRUE(IsRefused(AppendEntriesResult{Term(term)}));
    EXPECT_TRUE(IsRefused(InstallSnapshot{Term(term)}));
    EXPECT_TRUE(IsRefused(TimeoutNow{Term(term)}));
    EXPECT_TRUE(IsRefused(Probe{Term(term)}));
    EXPECT_TRUE(IsRefused(ProbeResult{Term(term)}));
  }
}

TEST(CheckMessageTest, PlacesAreWholeAndNotOfALaterTerm) {
  EXPECT_TRUE(IsRefused(RequestVote{Term(5), Index(7), Term(0)}));
  EXPECT_TRUE(IsRefused(RequestVote{Term(5), Index(0), Term(3)}));
  EXPECT_TRUE(IsRefused(RequestVote{Term(5), Index(7), Term(6)}));
  EXPECT_TRUE(IsRefused(RequestVote{Term(5), Index(uint64_t{1} << 63), Term(3)}));
  EXPECT_TRUE(IsRefused(TimeoutNow{Term(5), Index(7), Term(-3)}));
  AppendEntries append = Append({});
  append.prev_term = Term(6);
  EXPECT_TRUE(IsRefused(append));
  append = Append({});
  append.commit = Index(std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(IsRefused(append));
}

TEST(CheckMessageTest, EntriesAreContiguousAndTheirTermsAscend) {
  EXPECT_TRUE(IsRefused(Append({BatchEntry(7, 3)})));
  EXPECT_TRUE(IsRefused(Append({BatchEntry(9, 3)})));
  EXPECT_TRUE(IsRefused(Append({BatchEntry(8, 3), BatchEntry(8, 3)})));
  EXPECT_TRUE(IsRefused(Append({BatchEntry(8, 2)})));
  EXPECT_TRUE(IsRefused(Append({BatchEntry(8, 4), BatchEntry(9, 3)})));
  EXPECT_TRUE(IsRefused(Append({BatchEntry(8, 6)})));
  AppendEntries miscounted = Append({BatchEntry(8, 3)});
  miscounted.count = 2;
  EXPECT_TRUE(IsRefused(miscounted));
  const AppendEntries headless{Term(5), Index(0), Term(0), Index(0), 1, {BatchEntry(1, 1)}};
  EXPECT_TRUE(IsRefused(headless)) << "a log begins with a configuration";
  AppendEntries many = Append({});
  for (uint64_t i = 0; i <= kMaxCheckedEntries; ++i) many.entries.push_back(BatchEntry(8 + i, 3));
  many.count = static_cast<uint32_t>(many.entries.size());
  EXPECT_TRUE(IsRefused(many));
}

TEST(CheckMessageTest, EntriesAreWhatTheirKindSays) {
  log::Entry entry = BatchEntry(8, 3);
  entry.header.kind = static_cast<log::EntryKind>(9);
  entry.header.record_count = 0;
  EXPECT_TRUE(IsRefused(Append({entry})));
  entry = BatchEntry(8, 3);
  entry.header.record_count = 0;
  EXPECT_TRUE(IsRefused(Append({entry})));
  entry = BatchEntry(8, 3);
  entry.header.body_bytes += 1;
  EXPECT_TRUE(IsRefused(Append({entry}))) << "a body beyond its buffer";
  entry = BatchEntry(8, 3);
  entry.body_position = 2;
  EXPECT_TRUE(IsRefused(Append({entry})));
  entry = BatchEntry(8, 3);
  entry.buffer = nullptr;
  EXPECT_TRUE(IsRefused(Append({entry})));
  entry = BatchEntry(8, 3);
  entry.header.body_bytes = log::kMaxBodyBytes + 1;
  EXPECT_TRUE(IsRefused(Append({entry})));
  const auto control = [](log::EntryKind kind, std::string body) {
    return Append({log::MakeControlEntry(kind, std::move(body), Index(8), Term(3), Offset(0), 0)});
  };
  EXPECT_TRUE(IsRefused(control(log::EntryKind::kBarrier, "x")));
  EXPECT_TRUE(IsRefused(control(log::EntryKind::kConfiguration, "x")));
  EXPECT_TRUE(IsRefused(control(log::EntryKind::kConfiguration, Voters({}, {1}).Encode())))
      << "nobody votes";
}

TEST(CheckMessageTest, ARejectionNamesAShorterLog) {
  EXPECT_TRUE(IsRefused(AppendEntriesResult{Term(5), Index(7), Index(7), Term(2)}));
  EXPECT_TRUE(IsRefused(AppendEntriesResult{Term(5), Index(7), Index(6), Term(6)}));
  EXPECT_TRUE(IsRefused(AppendEntriesResult{Term(5), Index(uint64_t{1} << 63), Index(6), Term(2)}));
  EXPECT_TRUE(IsRefused(AppendEntriesResult{Term(5), Index(0), Index(uint64_t{1} << 63), Term(0)}));
}

TEST(CheckMessageTest, ASnapshotHasAPlaceAndAConfiguration) {
  InstallSnapshot bad = Snapshot();
  bad.last_index = Index(0);
  bad.last_term = Term(0);
  EXPECT_TRUE(IsRefused(bad));
  bad = Snapshot();
  bad.configuration_index = Index(8);
  EXPECT_TRUE(IsRefused(bad));
  bad = Snapshot();
  bad.configuration_index = Index(0);
  EXPECT_TRUE(IsRefused(bad));
  bad = Snapshot();
  bad.configuration += '\0';
  EXPECT_TRUE(IsRefused(bad));
  bad = Snapshot();
  bad.start_offset = Offset(std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(IsRefused(bad));
  bad = Snapshot();
  bad.state.resize(kMaxSnapshotStateBytes + 1);
  EXPECT_TRUE(IsRefused(bad));
}

}  // namespace
}  // namespace cairn::consensus
