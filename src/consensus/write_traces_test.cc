#include "consensus/write_traces.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "env/sim_clock.h"
#include "telemetry/recording_tracer_testing.h"

namespace cairn::consensus {
namespace {

constexpr NodeId kBob(2);
constexpr NodeId kCarol(3);

class WriteTracesTest : public ::testing::Test {
 protected:
  log::Entry Entry(uint64_t index, base::TraceContext trace) {
    log::Batch batch;
    batch.records = "abc";
    batch.record_count = 1;
    batch.trace = trace;
    return log::MakeBatchEntry(std::move(batch), Index(index), Term(1), Offset(index * 10));
  }
  log::Entry Traced(uint64_t index) { return Entry(index, root_); }

  env::SimClock clock_;
  telemetry::RecordingTracer tracer_;
  const base::TraceContext root_ = tracer_.Root();
  WriteTraces traces_{&tracer_, clock_};
};

TEST_F(WriteTracesTest, WhatIsNotTracedLeavesNothing) {
  traces_.OnStored(Entry(1, {}), true, 2);
  base::TraceContext unsampled = root_;
  unsampled.sampled = false;
  traces_.OnStored(Entry(2, unsampled), true, 2);
  EXPECT_TRUE(traces_.empty());
  WriteTraces without(nullptr, clock_);
  without.OnStored(Traced(3), true, 2);
  EXPECT_TRUE(without.empty());
  EXPECT_TRUE(tracer_.spans().empty());
}

TEST_F(WriteTracesTest, ALeadersWriteEndsWhenItIsCommittedAndEachFollowerHasIt) {
  const log::Entry entry = Traced(5);
  traces_.OnStored(entry, true, 2);
  clock_.Advance(10);
  traces_.OnTaken();
  const auto to_bob = traces_.ContextFor(kBob, entry);
  EXPECT_EQ(traces_.ContextFor(kBob, entry), to_bob) << "sent again: the same span";
  clock_.Advance(20);
  traces_.OnAcknowledged(kBob, Index(5));
  traces_.OnPersisted(Index(5));
  clock_.Advance(3);
  traces_.OnCommitted(Index(5));
  EXPECT_FALSE(traces_.empty()) << "Carol was slow to answer what came before";
  const auto to_carol = traces_.ContextFor(kCarol, entry);
  clock_.Advance(1);
  traces_.OnAcknowledged(kCarol, Index(9));
  EXPECT_TRUE(traces_.empty());

  const auto commits = tracer_.Named("commit");
  ASSERT_EQ(commits.size(), 1U);
  EXPECT_EQ(commits[0].parent, root_.span_id);
  EXPECT_EQ(commits[0].end_ns - commits[0].start_ns, 33);
  const auto waits = tracer_.ChildrenOf(commits[0].context, "disk wait");
  ASSERT_EQ(waits.size(), 1U);
  EXPECT_EQ(waits[0].end_ns - waits[0].start_ns, 10);
  const auto syncs = tracer_.ChildrenOf(commits[0].context, "fsync");
  ASSERT_EQ(syncs.size(), 1U);
  EXPECT_EQ(syncs[0].end_ns - syncs[0].start_ns, 20);
  const auto replications = tracer_.ChildrenOf(commits[0].context, "replicate");
  ASSERT_EQ(replications.size(), 2U);
  EXPECT_EQ(replications[0].context, to_bob);
  EXPECT_EQ(replications[1].context, to_carol);
  EXPECT_EQ(replications[0].end_ns - replications[0].start_ns, 20);
  EXPECT_EQ(replications[1].end_ns - replications[1].start_ns, 1);
  for (const telemetry::Span& span : tracer_.spans()) {
    EXPECT_TRUE(span.status.ok());
    EXPECT_EQ(span.context.trace_id, root_.trace_id);
  }
}

TEST_F(WriteTracesTest, AFollowersWriteEndsWithItsDisk) {
  const log::Entry entry = Traced(5);
  traces_.OnStored(entry, false, 2);
  EXPECT_FALSE(traces_.ContextFor(kBob, entry).valid()) << "it sends nothing";
  traces_.OnTaken();
  traces_.OnCommitted(Index(5));
  EXPECT_FALSE(traces_.empty());
  traces_.OnPersisted(Index(5));
  EXPECT_TRUE(traces_.empty());
  ASSERT_EQ(tracer_.Named("append").size(), 1U);
  EXPECT_EQ(tracer_.Named("append")[0].parent, root_.span_id);
}

TEST_F(WriteTracesTest, WhatIsCutOffOrAbandonedSaysSo) {
  traces_.OnStored(Traced(5), false, 2);
  traces_.OnStored(Traced(6), false, 2);
  traces_.OnTruncated(Index(6));
  ASSERT_EQ(tracer_.Named("append").size(), 1U);
  EXPECT_TRUE(absl::IsAborted(tracer_.Named("append")[0].status));
  traces_.Abandon(absl::UnavailableError("closed"));
  EXPECT_TRUE(traces_.empty());
  ASSERT_EQ(tracer_.Named("append").size(), 2U);
  EXPECT_TRUE(absl::IsUnavailable(tracer_.Named("append")[1].status));
}

TEST_F(WriteTracesTest, AFollowerThatIsAwayCostsNoMoreThanTheLimit) {
  for (uint64_t i = 1; i <= kMaxTracedWrites + 10; ++i) {
    const log::Entry entry = Traced(i);
    traces_.OnStored(entry, true, 1);
    traces_.OnTaken();
    EXPECT_TRUE(traces_.ContextFor(kBob, entry).valid());
    traces_.OnPersisted(Index(i));
    traces_.OnCommitted(Index(i));
  }
  EXPECT_EQ(tracer_.Named("commit").size(), kMaxTracedWrites + 10);
  const auto given_up = tracer_.Named("replicate");
  ASSERT_EQ(given_up.size(), 10U);
  EXPECT_TRUE(absl::IsCancelled(given_up[0].status));
  EXPECT_FALSE(traces_.ContextFor(kBob, Traced(1)).valid()) << "sent later: not traced any more";
}

}  // namespace
}  // namespace cairn::consensus
