// Produce over loopback, with everything a client can get wrong.
#include <limits>

#include "base/crc32c.h"
#include "log/records.h"
#include "server/server_fixture.h"

namespace cairn::server {
namespace {

using logapi::v1::ConsumeRequest;
using logapi::v1::ProduceRequest;

class ProduceTest : public ServerFixture {
 protected:
  static log::Batch MakeBatch(const std::vector<std::string>& values, int64_t timestamp_ms = 1000) {
    log::BatchBuilder builder;
    for (const std::string& value : values) builder.Add(std::nullopt, value, timestamp_ms);
    return builder.Take();
  }
  static void FillBatch(const log::Batch& batch, logapi::v1::RecordBatch& to) {
    to.set_records(batch.records);
    to.set_record_count(batch.record_count);
    to.set_base_timestamp_ms(batch.base_timestamp_ms);
    to.set_max_timestamp_ms(batch.max_timestamp_ms);
  }
  logapi::v1::ConsumeResponse MustConsume(uint64_t offset) {
    ConsumeRequest request;
    request.set_offset(offset);
    auto response = Consume(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : logapi::v1::ConsumeResponse();
  }
};

TEST_F(ProduceTest, StoresWhatAnAncestorsClientSends) {
  for (uint64_t i = 0; i < 3; ++i) {
    const auto response = ProduceValue("value " + std::to_string(i));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->offset(), i);
  }
  const auto read = MustConsume(1);
  EXPECT_EQ(read.record().value(), "value 1");
  EXPECT_EQ(read.record().offset(), 1u);
  EXPECT_EQ(read.record().term(), 0u);
}

TEST_F(ProduceTest, KeepsKeyHeadersAndTimestamp) {
  ProduceRequest request;
  request.mutable_record()->set_value("v");
  request.mutable_record()->set_key("");
  request.mutable_record()->set_timestamp_ms(1234);
  auto& header = *request.mutable_record()->add_headers();
  header.set_name("a");
  header.set_value(std::string("\0\xff", 2));
  request.mutable_record()->add_headers()->set_name("null");
  ASSERT_TRUE(Produce(request).ok());
  const auto record = MustConsume(0).record();
  EXPECT_TRUE(record.has_key());
  EXPECT_EQ(record.key(), "");
  EXPECT_EQ(record.timestamp_ms(), 1234);
  ASSERT_EQ(record.headers_size(), 2);
  EXPECT_EQ(record.headers(0).value(), std::string("\0\xff", 2));
  EXPECT_FALSE(record.headers(1).has_value());
}

TEST_F(ProduceTest, StoresManyRecordsAsOneBatchCompressedOrNot) {
  uint64_t expected = 0;
  for (const auto codec :
       {logapi::v1::CODEC_UNSPECIFIED, logapi::v1::CODEC_LZ4, logapi::v1::CODEC_ZSTD}) {
    ProduceRequest request;
    request.set_codec(codec);
    for (int i = 0; i < 100; ++i)
      request.add_records()->set_value("compressible " + std::to_string(i));
    const auto response = Produce(request);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->offset(), expected);
    EXPECT_EQ(MustConsume(expected + 57).record().value(), "compressible 57");
    expected += 100;
  }
}

TEST_F(ProduceTest, StoresAReadyBatchAndChecksItsChecksum) {
  const log::Batch batch = MakeBatch({"a", "b"});
  ProduceRequest request;
  FillBatch(batch, *request.mutable_batch());
  request.mutable_batch()->set_records_crc(base::Crc32c(batch.records));
  ASSERT_TRUE(Produce(request).ok());
  EXPECT_EQ(MustConsume(1).record().value(), "b");

  request.mutable_batch()->set_records_crc(base::Crc32c(batch.records) ^ 1);
  const auto wrong = Produce(request);
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Reason(wrong.status()), base::reason::kMalformedBatch);
}

TEST_F(ProduceTest, AnswersARetryOfTheSameProducerWithTheFirstOffset) {
  ProduceRequest request;
  request.mutable_record()->set_value("once");
  request.mutable_producer()->set_id(7);
  const auto first = Produce(request);
  const auto second = Produce(request);
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_FALSE(first->duplicate());
  EXPECT_TRUE(second->duplicate());
  EXPECT_EQ(second->offset(), first->offset());
  request.mutable_producer()->set_base_sequence(5);
  EXPECT_EQ(Reason(Produce(request).status()), base::reason::kOutOfOrderSequence);
}

TEST_F(ProduceTest, AppendsOnlyAtTheExpectedOffset) {
  ProduceRequest request;
  request.mutable_record()->set_value("x");
  request.set_expected_offset(0);
  ASSERT_TRUE(Produce(request).ok());
  const auto second = Produce(request);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Reason(second.status()), base::reason::kUnexpectedOffset);
  EXPECT_EQ(Metadata(second.status(), "actual_offset"), "1");
}

TEST_F(ProduceTest, RefusesBadRequestsWithAReasonAndStoresNothing) {
  cairn::v1::TopicSettings settings;
  settings.set_max_record_bytes(1000);
  settings.set_max_batch_bytes(3000);
  ASSERT_TRUE(CreateTopic("small", 1, settings).ok());

  const auto record_of = [](size_t bytes) {
    ProduceRequest request;
    request.set_topic("small");
    request.mutable_record()->set_value(std::string(bytes, 'x'));
    return request;
  };
  const log::Batch good = MakeBatch({"a", "b"});
  const auto batch_of = [&](auto change) {
    ProduceRequest request;
    request.set_topic("small");
    FillBatch(good, *request.mutable_batch());
    change(request);
    return request;
  };
  ProduceRequest several = record_of(1);
  several.add_records();
  ProduceRequest big_batch;
  big_batch.set_topic("small");
  for (int i = 0; i < 5; ++i) big_batch.add_records()->set_value(std::string(900, 'x'));
  ProduceRequest no_records;
  no_records.set_topic("small");
  ProduceRequest future = record_of(1);
  future.mutable_record()->set_timestamp_ms(std::numeric_limits<int64_t>::max());
  ProduceRequest codec = record_of(1);
  codec.set_codec(static_cast<logapi::v1::Codec>(2));
  ProduceRequest epoch = record_of(1);
  epoch.mutable_producer()->set_epoch(40'000);

  const struct {
    std::string what;
    ProduceRequest request;
    std::string_view reason;
  } cases[] = {
      {"empty", no_records, base::reason::kEmptyBatch},
      {"several forms", several, base::reason::kMalformedBatch},
      {"record too large", record_of(1001), base::reason::kRecordTooLarge},
      {"batch too large", big_batch, base::reason::kBatchTooLarge},
      {"unknown codec", codec, base::reason::kMalformedBatch},
      {"epoch out of range", epoch, base::reason::kMalformedBatch},
      {"timestamp in the far future", future, base::reason::kMalformedBatch},
      {"batch without records", batch_of([](ProduceRequest& r) {
         r.mutable_batch()->clear_records();
         r.mutable_batch()->set_record_count(0);
       }),
       base::reason::kEmptyBatch},
      {"wrong count", batch_of([](ProduceRequest& r) { r.mutable_batch()->set_record_count(3); }),
       base::reason::kMalformedBatch},
      {"half a record",
       batch_of([](ProduceRequest& r) { r.mutable_batch()->mutable_records()->pop_back(); }),
       base::reason::kMalformedBatch},
      {"bytes that are not lz4",
       batch_of([](ProduceRequest& r) { r.mutable_batch()->set_codec(logapi::v1::CODEC_LZ4); }),
       base::reason::kMalformedBatch},
      {"codec for a ready batch",
       batch_of([](ProduceRequest& r) { r.set_codec(logapi::v1::CODEC_ZSTD); }),
       base::reason::kMalformedBatch},
  };
  for (const auto& c : cases) {
    const auto response = Produce(c.request);
    EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument)
        << c.what << ": " << response.status();
    EXPECT_EQ(Reason(response.status()), c.reason) << c.what << ": " << response.status();
  }
  EXPECT_EQ(Metadata(Produce(record_of(1001)).status(), "limit_bytes"), "1000");

  const auto stored = Produce(record_of(900));
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->offset(), 0u);
}

TEST_F(ProduceTest, NamesUnknownTopicsAndPartitions) {
  EXPECT_EQ(Reason(ProduceValue("x", "nowhere").status()), base::reason::kUnknownTopic);
  for (const int32_t partition : {1, -1, std::numeric_limits<int32_t>::max()}) {
    ProduceRequest request;
    request.mutable_record()->set_value("x");
    request.set_partition(partition);
    const auto response = Produce(request);
    EXPECT_EQ(response.status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(Reason(response.status()), base::reason::kUnknownPartition);
  }
}

TEST_F(ProduceTest, TakesABatchAtTheLimitAndCutsOffAMessageBeyondAll) {
  ProduceRequest request;
  for (int i = 0; i < 7; ++i)
    request.add_records()->set_value(std::string(1 << 20, 'x').substr(64));
  EXPECT_TRUE(Produce(request).ok());
  ProduceRequest huge;
  huge.mutable_record()->set_value(std::string(70 << 20, 'x'));
  EXPECT_EQ(Produce(huge).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(ProduceValue("still here").ok());
}

TEST_F(ProduceTest, RefusesBytesThatAreNoMessage) {
  // Field 1 announces more bytes than follow.
  const std::string half("\x0a\x7f half", 7);
  std::string response;
  // What gRPC's generated code answers, and what our own parsing of Consume does.
  EXPECT_EQ(CallRaw("/log.v1.Log/Produce", half, response).error_code(), grpc::UNIMPLEMENTED);
  EXPECT_EQ(CallRaw("/log.v1.Log/Consume", half, response).error_code(), grpc::INTERNAL);
  EXPECT_TRUE(ProduceValue("still here").ok());
}

}  // namespace
}  // namespace cairn::server
