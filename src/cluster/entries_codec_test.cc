#include "cluster/entries_codec.h"

#include <gtest/gtest.h>

#include "env/sim_clock.h"
#include "env/sim_file_system.h"
#include "log/records.h"

namespace cairn::cluster {
namespace {

EntriesRequest RequestFor(uint64_t from, uint64_t limit) {
  return {.group = GroupId(65536), .from = Index(from), .limit = Index(limit), .max_bytes = 4096};
}

// A log of ten batches and a barrier, indexes 1 to 11, of terms 1 and 2.
class EntriesCodecTest : public ::testing::Test {
 protected:
  EntriesCodecTest() {
    log::LogOptions options;
    options.directory = "/log";
    EXPECT_TRUE(fs_.CreateDir("/log").ok());
    EXPECT_TRUE(log::Log::Create(fs_, clock_, options).ok());
    log::RecoveryReport report;
    log_ = log::Log::Open(fs_, clock_, options, report).value();
    for (int i = 0; i < 10; ++i) {
      log::BatchBuilder builder;
      builder.Add("k", "value " + std::to_string(i), 1'000);
      Write(log::MakeBatchEntry(builder.Take(), log_->end_index(), Term(i < 5 ? 1 : 2),
                                log_->end_offset()));
    }
    Write(log::MakeControlEntry(log::EntryKind::kBarrier, "", log_->end_index(), Term(2),
                                log_->end_offset(), 1));
  }
  void Write(const log::Entry& entry) { EXPECT_TRUE(log_->Write({&entry, 1}).ok()); }

  env::SimFileSystem fs_{1};
  env::SimClock clock_;
  std::unique_ptr<log::Log> log_;
};

TEST_F(EntriesCodecTest, EntriesSurviveTheWire) {
  const auto answer = AnswerEntries(*log_, Index(11), RequestFor(6, 12));
  ASSERT_TRUE(answer.ok()) << answer.status();
  const auto read = DecodeEntriesResponse(Encode(*answer));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->first.index, Index(1));
  EXPECT_EQ(read->term_before, Term(1));
  ASSERT_EQ(read->entries.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(read->entries[i].header, answer->entries[i].header);
    EXPECT_EQ(read->entries[i].body(), answer->entries[i].body());
  }
}

TEST_F(EntriesCodecTest, OnlyWhatIsCommittedIsAnswered) {
  const auto answer = AnswerEntries(*log_, Index(7), RequestFor(6, 12));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->entries.size(), 2u);
  const auto refused = AnswerEntries(*log_, Index(7), RequestFor(8, 12));
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
}

TEST_F(EntriesCodecTest, WhatWasDeletedIsAnsweredWithWhereTheLogBegins) {
  ASSERT_TRUE(log_->Reset({.offset = Offset(50), .index = Index(40), .term = Term(3)}).ok());
  const auto answer = AnswerEntries(*log_, Index(39), RequestFor(6, 12));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EntriesResponse with_state = *answer;
  with_state.state = "what stood before";
  const auto read = DecodeEntriesResponse(Encode(with_state));
  EXPECT_TRUE(read->entries.empty());
  EXPECT_EQ(read->state, "what stood before");
  EXPECT_EQ(read->first.index, Index(40));
  EXPECT_EQ(read->first.offset, Offset(50));
  EXPECT_EQ(read->first.term, Term(3));
  EXPECT_EQ(read->start_offset, Offset(50));
}

TEST_F(EntriesCodecTest, RequestsForNothingOrTooMuchAreRefused) {
  EXPECT_TRUE(DecodeEntriesRequest(Encode(RequestFor(6, 12))).ok());
  EXPECT_FALSE(DecodeEntriesRequest(Encode(RequestFor(0, 12))).ok());
  EXPECT_FALSE(DecodeEntriesRequest(Encode(RequestFor(6, 6))).ok());
  EntriesRequest large = RequestFor(6, 12);
  large.max_bytes = kFetchBytes + 1;
  EXPECT_FALSE(DecodeEntriesRequest(Encode(large)).ok());
  EXPECT_FALSE(DecodeEntriesRequest(Encode(RequestFor(6, 12)).substr(1)).ok());
}

TEST_F(EntriesCodecTest, ResponsesThatEndEarlyOrGoOnAreRefused) {
  const std::string whole = Encode(*AnswerEntries(*log_, Index(11), RequestFor(6, 12)));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(DecodeEntriesResponse(whole.substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(DecodeEntriesResponse(whole + "x").ok());
}

}  // namespace
}  // namespace cairn::cluster
