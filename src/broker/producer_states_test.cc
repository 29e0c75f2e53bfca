#include "broker/producer_states.h"

#include <gtest/gtest.h>

#include "base/error_info.h"

namespace cairn::broker {
namespace {

log::Batch BatchOf(int32_t sequence, uint32_t count = 1, int16_t epoch = 0, int64_t id = 1) {
  log::Batch batch;
  batch.producer_id = id;
  batch.producer_epoch = epoch;
  batch.base_sequence = sequence;
  batch.record_count = count;
  return batch;
}

log::EntryHeader HeaderOf(const log::Batch& batch, uint64_t offset) {
  log::EntryHeader header;
  header.producer_id = batch.producer_id;
  header.producer_epoch = batch.producer_epoch;
  header.base_sequence = batch.base_sequence;
  header.record_count = batch.record_count;
  header.base_offset = Offset(offset);
  return header;
}

TEST(ProducerStatesTest, SequencesWrapFromTheLargestToZero) {
  ProducerStates states;
  states.Note(HeaderOf(BatchOf(2147483646, 3), 0));
  const auto next = states.Check(BatchOf(1));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_FALSE(next->has_value());
  EXPECT_FALSE(states.Check(BatchOf(2)).ok());
}

TEST(ProducerStatesTest, ABatchOlderThanTheWindowIsRefusedNotStored) {
  ProducerStates states;
  for (int32_t i = 0; i < static_cast<int32_t>(kProducerWindow) + 10; ++i) {
    states.Note(HeaderOf(BatchOf(i), static_cast<uint64_t>(i)));
  }
  EXPECT_TRUE(absl::IsAlreadyExists(states.Check(BatchOf(3)).status()));
  EXPECT_EQ((*states.Check(BatchOf(10)))->base_offset, Offset(10));
}

TEST(ProducerStatesTest, ForgettingTakesBackWhatWasNotStored) {
  ProducerStates states;
  states.Note(HeaderOf(BatchOf(0), 0));
  states.Note(HeaderOf(BatchOf(1), 1));
  states.Forget(HeaderOf(BatchOf(1), 1));
  EXPECT_FALSE(states.Check(BatchOf(1))->has_value());
  EXPECT_TRUE(states.Check(BatchOf(0))->has_value());
}

TEST(ProducerStatesTest, ASnapshotRoundTripsAndEveryCutIsRefused) {
  ProducerStates states;
  for (int64_t id = 1; id <= 3; ++id) {
    for (int32_t i = 0; i < 5; ++i) states.Note(HeaderOf(BatchOf(i, 1, 2, id), 10));
  }
  const std::string bytes = states.Encode(Offset(77));
  const auto decoded = ProducerStates::Decode(bytes);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->end_offset, Offset(77));
  EXPECT_EQ(decoded->states.Encode(Offset(77)), bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ProducerStates::Decode(std::string_view(bytes).substr(0, size)).ok());
  }
}

TEST(ProducerStatesTest, TheSilentProducerIsForgottenFirst) {
  ProducerStates states;
  for (int64_t id = 0; id <= static_cast<int64_t>(kMaxProducers); ++id) {
    states.Note(HeaderOf(BatchOf(5, 1, 0, id), 0));
    states.Note(HeaderOf(BatchOf(6, 1, 0, 0), 1));  // producer 0 goes on
  }
  EXPECT_EQ(states.size(), kMaxProducers);
  EXPECT_FALSE(states.Check(BatchOf(99, 1, 0, 0)).ok());          // remembered: out of order
  EXPECT_FALSE(states.Check(BatchOf(99, 1, 0, 1))->has_value());  // forgotten: taken as new
}

}  // namespace
}  // namespace cairn::broker
