#include "log/records.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "base/error_info.h"
#include "log/compression.h"

namespace cairn::log {
namespace {

std::optional<std::string> MaybeString() {
  if (*rc::gen::arbitrary<bool>()) return std::nullopt;
  return *rc::gen::string<std::string>();
}

std::string ReasonOf(const absl::Status& status) {
  const auto info = base::GetErrorInfo(status);
  return info ? info->reason : "";
}

Batch OneRecord(std::string_view value) {
  BatchBuilder builder;
  builder.Add(std::nullopt, value, 1000);
  return builder.Take();
}

RC_GTEST_PROP(RecordsTest, WhatIsBuiltIsValidAndReadBack, ()) {
  struct Source {
    std::optional<std::string> key, value;
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
    int64_t timestamp;
  };
  const auto count = *rc::gen::inRange(1, 20);
  std::vector<Source> sources;
  BatchBuilder builder;
  for (int i = 0; i < count; ++i) {
    Source source;
    source.key = MaybeString();
    source.value = MaybeString();
    const auto headers = *rc::gen::inRange(0, 4);
    for (int h = 0; h < headers; ++h) {
      source.headers.emplace_back(*rc::gen::string<std::string>(), MaybeString());
    }
    source.timestamp = *rc::gen::inRange<int64_t>(-1'000'000'000'000, 4'000'000'000'000);
    sources.push_back(source);
  }
  for (const Source& source : sources) {
    RecordView record{source.key, source.value, {}, source.timestamp};
    for (const auto& [name, value] : source.headers) record.headers.push_back({name, value});
    builder.Add(record);
  }
  const Batch batch = builder.Take();
  RC_ASSERT(ValidateBatch(batch, {}).ok());
  RecordsReader reader(batch.records, batch.base_timestamp_ms);
  RecordView record;
  for (const Source& source : sources) {
    const auto more = reader.Next(record);
    RC_ASSERT(more.ok() && *more);
    RC_ASSERT(record.key == source.key);
    RC_ASSERT(record.value == source.value);
    RC_ASSERT(record.timestamp_ms == source.timestamp);
    RC_ASSERT(record.headers.size() == source.headers.size());
    for (size_t h = 0; h < record.headers.size(); ++h) {
      RC_ASSERT(record.headers[h].name == source.headers[h].first);
      RC_ASSERT(record.headers[h].value == source.headers[h].second);
    }
  }
  const auto end = reader.Next(record);
  RC_ASSERT(end.ok() && !*end);
}

RC_GTEST_PROP(RecordsTest, RandomBytesNeverValidateUnlessWellFormed, ()) {
  Batch batch;
  batch.records = *rc::gen::string<std::string>();
  batch.record_count = *rc::gen::inRange(1u, 4u);
  if (!ValidateBatch(batch, {}).ok()) return;
  RecordsReader reader(batch.records, batch.base_timestamp_ms);
  RecordView record;
  for (uint32_t i = 0; i < batch.record_count; ++i) RC_ASSERT(*reader.Next(record));
}

TEST(RecordsTest, EveryCutOfABatchIsRefused) {
  BatchBuilder builder;
  builder.Add(RecordView{"key", "value", {{"name", "header"}}, 5});
  builder.Add("k", std::nullopt, 7);
  const Batch whole = builder.Take();
  for (size_t size = 0; size < whole.records.size(); ++size) {
    Batch cut = whole;
    cut.records.resize(size);
    EXPECT_EQ(ReasonOf(ValidateBatch(cut, {})), "MALFORMED_BATCH") << size;
  }
}

TEST(RecordsTest, LimitsAreNamedWithTheSizeFound) {
  BatchLimits limits;
  limits.max_record_bytes = 10;
  const absl::Status status = ValidateBatch(OneRecord("elevenbytes"), limits);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const auto info = base::GetErrorInfo(status);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reason, "RECORD_TOO_LARGE");
  EXPECT_EQ(info->metadata.at("limit_bytes"), "10");
  EXPECT_GE(std::stoi(info->metadata.at("size_bytes")), 11);
  limits = {};
  limits.max_batch_bytes = 10;
  EXPECT_EQ(ReasonOf(ValidateBatch(OneRecord("elevenbytes"), limits)), "BATCH_TOO_LARGE");
}

TEST(RecordsTest, EmptyBatchAndHalfAProducerAreRefused) {
  EXPECT_EQ(ReasonOf(ValidateBatch(Batch{}, {})), "EMPTY_BATCH");
  Batch batch = OneRecord("x");
  batch.producer_id = 7;
  EXPECT_EQ(ReasonOf(ValidateBatch(batch, {})), "MALFORMED_BATCH");
}

TEST(RecordsTest, WrongCountOrTimestampIsRefused) {
  Batch batch = OneRecord("x");
  batch.record_count = 2;
  EXPECT_EQ(ReasonOf(ValidateBatch(batch, {})), "MALFORMED_BATCH");
  batch = OneRecord("x");
  batch.max_timestamp_ms += 1;
  EXPECT_EQ(ReasonOf(ValidateBatch(batch, {})), "MALFORMED_BATCH");
  batch = OneRecord("x");
  batch.base_timestamp_ms = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(ReasonOf(ValidateBatch(batch, {})), "MALFORMED_BATCH");
}

TEST(CompressionTest, EveryCodecRoundTripsThroughABatch) {
  for (const Codec codec : {Codec::kLz4, Codec::kZstd}) {
    Batch batch = OneRecord(std::string(100'000, 'x'));
    const std::string plain = batch.records;
    ASSERT_TRUE(CompressBatch(batch, codec).ok());
    EXPECT_EQ(batch.codec, codec);
    EXPECT_LT(batch.records.size(), plain.size() / 10);
    EXPECT_TRUE(ValidateBatch(batch, {}).ok());
    EXPECT_EQ(*Decompress(codec, batch.records, plain.size()), plain);
    EXPECT_EQ(ParseCodec(CodecName(codec)).value(), codec);
  }
}

TEST(CompressionTest, ABatchThatWouldGrowStaysPlain) {
  Batch batch = OneRecord("x");
  ASSERT_TRUE(CompressBatch(batch, Codec::kZstd).ok());
  EXPECT_EQ(batch.codec, Codec::kNone);
}

TEST(CompressionTest, ExpansionStopsAtTheLimit) {
  const std::string bomb(64 << 20, '\0');
  for (const Codec codec : {Codec::kLz4, Codec::kZstd}) {
    const auto packed = Compress(codec, bomb);
    ASSERT_TRUE(packed.ok());
    EXPECT_EQ(Decompress(codec, *packed, 1 << 20).status().code(),
              absl::StatusCode::kResourceExhausted);
    Batch batch;
    batch.records = *packed;
    batch.codec = codec;
    batch.record_count = 1;
    EXPECT_EQ(ReasonOf(ValidateBatch(batch, {})), "BATCH_TOO_LARGE");
  }
}

TEST(CompressionTest, DamagedAndCutDataIsRefused) {
  for (const Codec codec : {Codec::kLz4, Codec::kZstd}) {
    const std::string packed = *Compress(codec, std::string(10'000, 'a') + "b");
    for (size_t size = 0; size < packed.size(); ++size) {
      EXPECT_EQ(Decompress(codec, packed.substr(0, size), 1 << 20).status().code(),
                absl::StatusCode::kDataLoss)
          << CodecName(codec) << " cut at " << size;
    }
    EXPECT_FALSE(Decompress(codec, packed + "x", 1 << 20).ok());
  }
  EXPECT_EQ(Decompress(Codec::kGzip, "x", 10).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace cairn::log
