// Forwarded produce requests as bytes: what goes in comes out, with and without a trace.
#include "cluster/produce_codec.h"

#include <gtest/gtest.h>

#include <string>

namespace cairn::cluster {
namespace {

ForwardedProduce Sample() {
  ForwardedProduce produce{.group = GroupId(0x0102030405060708), .expected_offset = Offset(9)};
  produce.batch.records = "records";
  produce.batch.record_count = 3;
  produce.batch.codec = log::Codec::kZstd;
  produce.batch.base_timestamp_ms = 1000;
  produce.batch.max_timestamp_ms = 1001;
  produce.batch.producer_id = 7;
  produce.batch.producer_epoch = 1;
  produce.batch.base_sequence = 5;
  return produce;
}

base::TraceContext Trace(bool sampled) {
  base::TraceContext trace;
  trace.trace_id.fill(0xab);
  trace.span_id.fill(0xcd);
  trace.sampled = sampled;
  return trace;
}

void ExpectSame(const ForwardedProduce& got, const ForwardedProduce& want) {
  EXPECT_EQ(got.group, want.group);
  EXPECT_EQ(got.expected_offset, want.expected_offset);
  EXPECT_EQ(got.batch.records, want.batch.records);
  EXPECT_EQ(got.batch.record_count, want.batch.record_count);
  EXPECT_EQ(got.batch.codec, want.batch.codec);
  EXPECT_EQ(got.batch.base_timestamp_ms, want.batch.base_timestamp_ms);
  EXPECT_EQ(got.batch.max_timestamp_ms, want.batch.max_timestamp_ms);
  EXPECT_EQ(got.batch.producer_id, want.batch.producer_id);
  EXPECT_EQ(got.batch.producer_epoch, want.batch.producer_epoch);
  EXPECT_EQ(got.batch.base_sequence, want.batch.base_sequence);
  EXPECT_EQ(got.batch.trace, want.batch.trace);
}

TEST(ProduceCodecTest, EveryFieldSurvives) {
  for (const bool traced : {false, true}) {
    ForwardedProduce produce = Sample();
    if (traced) produce.batch.trace = Trace(true);
    const auto decoded = DecodeForwardedProduce(Encode(produce));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    ExpectSame(*decoded, produce);
  }
}

// Nodes of before sent these bytes, and nodes of today do when nothing is traced.
TEST(ProduceCodecTest, LooksAsItAlwaysDidWithoutATrace) {
  const std::string bytes = Encode(Sample());
  EXPECT_EQ(bytes.size(), 51 + 7);
  EXPECT_EQ(bytes[20], 4);
  EXPECT_EQ(bytes.substr(51), "records");
}

TEST(ProduceCodecTest, ATraceContextStandsBeforeTheRecords) {
  ForwardedProduce produce = Sample();
  produce.batch.trace = Trace(true);
  const std::string bytes = Encode(produce);
  EXPECT_EQ(static_cast<uint8_t>(bytes[20]), 0x84);
  EXPECT_EQ(bytes.substr(51),
            std::string(16, '\xab') + std::string(8, '\xcd') + std::string(1, '\x01') + "records");
}

TEST(ProduceCodecTest, WhatIsNotSampledIsNotSent) {
  ForwardedProduce produce = Sample();
  produce.batch.trace = Trace(false);
  EXPECT_EQ(Encode(produce), Encode(Sample()));
}

TEST(ProduceCodecTest, ATraceContextThatIsCutIsRefusedAndOneWithoutIdsIsNone) {
  ForwardedProduce produce = Sample();
  produce.batch.trace = Trace(true);
  const std::string bytes = Encode(produce);
  for (size_t size = 0; size < 51 + 25; ++size) {
    EXPECT_TRUE(absl::IsInvalidArgument(DecodeForwardedProduce(bytes.substr(0, size)).status()))
        << size;
  }
  std::string zeros = bytes;
  zeros.replace(51, 24, 24, '\0');
  const auto decoded = DecodeForwardedProduce(zeros);
  ASSERT_TRUE(decoded.ok());
  EXPECT_FALSE(decoded->batch.trace.valid());
  EXPECT_EQ(decoded->batch.records, "records");
}

}  // namespace
}  // namespace cairn::cluster
