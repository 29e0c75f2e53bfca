// Consume and ConsumeStream: positions, modes, limits, following, ends of every kind.
#include <sys/resource.h>

#include <future>
#include <thread>

#include "base/crc32c.h"
#include "log/compression.h"
#include "log/records.h"
#include "server/server_fixture.h"

namespace cairn::server {
namespace {

using logapi::v1::ConsumeRequest;
using logapi::v1::ConsumeResponse;
using logapi::v1::ProduceRequest;

class ConsumeTest : public ServerFixture {
 protected:
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<ConsumeResponse>> rpc;
  };
  std::unique_ptr<Stream> Open(const ConsumeRequest& request) {
    auto stream = std::make_unique<Stream>();
    SetDeadline(stream->context);
    stream->rpc = log_->ConsumeStream(&stream->context, request);
    return stream;
  }

  // `batches` batches of `records` each, with timestamps 1000, 1001, …
  void Fill(int batches, int records, logapi::v1::Codec codec = logapi::v1::CODEC_UNSPECIFIED) {
    for (int b = 0; b < batches; ++b) {
      ProduceRequest request;
      request.set_codec(codec);
      for (int r = 0; r < records; ++r) {
        const int64_t n = next_++;
        request.add_records()->set_value("value " + std::to_string(n));
        request.mutable_records(r)->set_timestamp_ms(1000 + n);
      }
      ASSERT_TRUE(Produce(request).ok());
    }
  }

  static ConsumeRequest From(uint64_t offset) {
    ConsumeRequest request;
    request.set_offset(offset);
    return request;
  }

  int64_t next_ = 0;
};

TEST_F(ConsumeTest, OneRecordAtATimeAsTheAncestorDid) {
  Fill(3, 4);
  auto stream = Open(From(5));
  ConsumeResponse response;
  for (uint64_t i = 5; i < 12; ++i) {
    ASSERT_TRUE(stream->rpc->Read(&response));
    EXPECT_EQ(response.record().offset(), i);
    EXPECT_EQ(response.record().value(), "value " + std::to_string(i));
    EXPECT_EQ(response.records_size() + response.batches_size(), 0);
  }
  stream->context.TryCancel();
  EXPECT_EQ(stream->rpc->Finish().error_code(), grpc::CANCELLED);
}

TEST_F(ConsumeTest, ManyRecordsPerResponse) {
  Fill(10, 10, logapi::v1::CODEC_ZSTD);
  ConsumeRequest request = From(7);
  request.set_max_records(16);
  request.set_stop_at_end(true);
  auto stream = Open(request);
  ConsumeResponse response;
  uint64_t next = 7;
  while (stream->rpc->Read(&response)) {
    EXPECT_FALSE(response.has_record());
    EXPECT_LE(response.records_size(), 16);
    EXPECT_EQ(response.high_watermark(), 100u);
    for (const auto& record : response.records()) {
      EXPECT_EQ(record.offset(), next);
      EXPECT_EQ(record.value(), "value " + std::to_string(next));
      ++next;
    }
  }
  EXPECT_EQ(next, 100u);
  EXPECT_TRUE(stream->rpc->Finish().ok());
}

TEST_F(ConsumeTest, BatchesAsTheyAreStored) {
  Fill(5, 10);
  Fill(5, 10, logapi::v1::CODEC_LZ4);
  ConsumeRequest request = From(13);
  request.set_as_batches(true);
  request.set_max_bytes(300);
  request.set_stop_at_end(true);
  auto stream = Open(request);
  ConsumeResponse response;
  uint64_t next = 10;  // the batch that holds 13 comes whole
  int responses = 0;
  while (stream->rpc->Read(&response)) {
    ++responses;
    EXPECT_EQ(response.log_start(), 0u);
    for (const auto& batch : response.batches()) {
      EXPECT_EQ(batch.base_offset(), next);
      EXPECT_EQ(batch.record_count(), 10u);
      EXPECT_EQ(batch.records_crc(), base::Crc32c(batch.records()));
      EXPECT_EQ(batch.base_timestamp_ms(), 1000 + static_cast<int64_t>(next));
      const auto plain =
          log::Decompress(static_cast<log::Codec>(batch.codec()), batch.records(), 1 << 20);
      ASSERT_TRUE(plain.ok());
      log::RecordsReader reader(*plain, batch.base_timestamp_ms());
      log::RecordView record;
      while (*reader.Next(record)) {
        EXPECT_EQ(*record.value, "value " + std::to_string(next));
        EXPECT_EQ(record.timestamp_ms, 1000 + static_cast<int64_t>(next));
        ++next;
      }
    }
  }
  EXPECT_EQ(next, 100u);
  EXPECT_GT(responses, 3);
  EXPECT_TRUE(stream->rpc->Finish().ok());
}

TEST_F(ConsumeTest, StartsWhereItIsTold) {
  Fill(10, 10);
  const auto first_offset = [&](logapi::v1::StartPosition start, int64_t timestamp_ms) -> int64_t {
    ConsumeRequest request = From(55);
    request.set_start(start);
    request.set_timestamp_ms(timestamp_ms);
    const auto response = Consume(request);
    return response.ok() ? static_cast<int64_t>(response->record().offset()) : -1;
  };
  EXPECT_EQ(first_offset(logapi::v1::START_POSITION_UNSPECIFIED, 0), 55);
  EXPECT_EQ(first_offset(logapi::v1::START_POSITION_EARLIEST, 0), 0);
  EXPECT_EQ(first_offset(logapi::v1::START_POSITION_TIMESTAMP, 0), 0);
  EXPECT_EQ(first_offset(logapi::v1::START_POSITION_TIMESTAMP, 1037), 37);
  EXPECT_EQ(first_offset(logapi::v1::START_POSITION_TIMESTAMP, 99'999), -1);
  EXPECT_EQ(first_offset(logapi::v1::START_POSITION_LATEST, 0), -1);
  EXPECT_EQ(first_offset(static_cast<logapi::v1::StartPosition>(9), 0), -1);
}

TEST_F(ConsumeTest, TellsTheValidRangeOfAnOffsetOutside) {
  Fill(1, 3);
  for (const uint64_t offset : {uint64_t{3}, uint64_t{4}, ~uint64_t{0}}) {
    const auto response = Consume(From(offset));
    EXPECT_EQ(response.status().code(), absl::StatusCode::kOutOfRange) << offset;
    EXPECT_EQ(Reason(response.status()), base::reason::kOffsetOutOfRange);
    EXPECT_EQ(Metadata(response.status(), "log_start"), "0");
    EXPECT_EQ(Metadata(response.status(), "high_watermark"), "3");
  }
  ConsumeRequest bounded = From(4);
  bounded.set_stop_at_end(true);
  auto stream = Open(bounded);
  ConsumeResponse response;
  EXPECT_FALSE(stream->rpc->Read(&response));
  EXPECT_EQ(stream->rpc->Finish().error_code(), grpc::OUT_OF_RANGE);
}

TEST_F(ConsumeTest, AtTheVeryEndBatchModesAnswerWithNothingButTheRange) {
  Fill(1, 3);
  ConsumeRequest request = From(3);
  request.set_as_batches(true);
  const auto response = Consume(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->batches_size(), 0);
  EXPECT_EQ(response->high_watermark(), 3u);
}

TEST_F(ConsumeTest, NamesUnknownTopicsAndRefusesWrongCombinations) {
  ConsumeRequest nowhere;
  nowhere.set_topic("nowhere");
  EXPECT_EQ(Reason(Consume(nowhere).status()), base::reason::kUnknownTopic);
  auto stream = Open(nowhere);
  ConsumeResponse response;
  EXPECT_FALSE(stream->rpc->Read(&response));
  EXPECT_EQ(Reason(api::FromGrpcStatus(stream->rpc->Finish())), base::reason::kUnknownTopic);
  ConsumeRequest both;
  both.set_as_batches(true);
  both.set_max_records(1);
  EXPECT_EQ(Consume(both).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ConsumeTest, StopsAtTheEndOfTheMomentItBegan) {
  ConsumeRequest request;
  request.set_stop_at_end(true);
  auto empty = Open(request);
  ConsumeResponse response;
  EXPECT_FALSE(empty->rpc->Read(&response));
  EXPECT_TRUE(empty->rpc->Finish().ok());
  Fill(2, 5);
  auto stream = Open(request);
  int records = 0;
  while (stream->rpc->Read(&response)) ++records;
  EXPECT_EQ(records, 10);
  EXPECT_TRUE(stream->rpc->Finish().ok());
}

TEST_F(ConsumeTest, FollowsTheTailFromTheMomentMetadataArrives) {
  Fill(1, 5);
  ConsumeRequest request;
  request.set_start(logapi::v1::START_POSITION_LATEST);
  auto stream = Open(request);
  stream->rpc->WaitForInitialMetadata();
  ConsumeResponse response;
  for (uint64_t i = 5; i < 10; ++i) {
    Fill(1, 1);
    ASSERT_TRUE(stream->rpc->Read(&response));
    EXPECT_EQ(response.record().offset(), i);
  }
  stream->context.TryCancel();
  (void)stream->rpc->Finish();
}

TEST_F(ConsumeTest, WaitsForAnOffsetAboveTheEnd) {
  auto stream = Open(From(7));
  stream->rpc->WaitForInitialMetadata();
  Fill(2, 5);
  ConsumeResponse response;
  ASSERT_TRUE(stream->rpc->Read(&response));
  EXPECT_EQ(response.record().offset(), 7u);
  stream->context.TryCancel();
  (void)stream->rpc->Finish();
}

TEST_F(ConsumeTest, WaitingStreamsCostNoProcessorTime) {
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 50; ++i) {
    streams.push_back(Open(From(0)));
    streams.back()->rpc->WaitForInitialMetadata();
  }
  const auto cpu_ms = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
  };
  const auto before = cpu_ms();
  std::this_thread::sleep_for(std::chrono::seconds(1));  // what is measured is time itself
  // One polling stream would use about 1000 ms; the ancestor's did.
  EXPECT_LT(cpu_ms() - before, 200);
  for (auto& stream : streams) {
    stream->context.TryCancel();
    (void)stream->rpc->Finish();
  }
  EXPECT_TRUE(Await([&] { return server_->open_streams() == 0; }));
}

TEST_F(ConsumeTest, AClientThatVanishesWhileWaitingOrReadingLeavesNothingBehind) {
  Fill(20, 500);
  for (int round = 0; round < 20; ++round) {
    auto stream = Open(From(round % 2 == 0 ? 0 : 1'000'000));
    ConsumeResponse response;
    if (round % 4 == 0) {
      EXPECT_TRUE(stream->rpc->Read(&response));
    }
    stream->context.TryCancel();
    (void)stream->rpc->Finish();
  }
  EXPECT_TRUE(Await([&] { return server_->open_streams() == 0; }));
}

TEST_F(ConsumeTest, ASlowReaderGetsEverything) {
  Fill(40, 500);
  ConsumeRequest request;
  request.set_stop_at_end(true);
  auto stream = Open(request);
  ConsumeResponse response;
  uint64_t next = 0;
  while (stream->rpc->Read(&response)) {
    if (next % 5000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ASSERT_EQ(response.record().offset(), next);
    ++next;
  }
  EXPECT_EQ(next, 20'000u);
}

TEST_F(ConsumeTest, EndsWhenTheTopicIsDeleted) {
  ASSERT_TRUE(CreateTopic("t").ok());
  ConsumeRequest request;
  request.set_topic("t");
  auto stream = Open(request);
  stream->rpc->WaitForInitialMetadata();
  grpc::ClientContext context;
  cairn::v1::DeleteTopicRequest gone;
  gone.set_name("t");
  cairn::v1::DeleteTopicResponse deleted;
  ASSERT_TRUE(admin_->DeleteTopic(&context, gone, &deleted).ok());
  ConsumeResponse response;
  EXPECT_FALSE(stream->rpc->Read(&response));
  EXPECT_EQ(stream->rpc->Finish().error_code(), grpc::NOT_FOUND);
}

TEST_F(ConsumeTest, AStopEndsWaitingStreamsAtOnce) {
  auto stream = Open(From(0));
  stream->rpc->WaitForInitialMetadata();
  const auto begin = std::chrono::steady_clock::now();
  auto stopped = std::async(std::launch::async, [&] { server_->Stop(); });
  ConsumeResponse response;
  EXPECT_FALSE(stream->rpc->Read(&response));
  EXPECT_EQ(Reason(api::FromGrpcStatus(stream->rpc->Finish())), base::reason::kShuttingDown);
  stopped.wait();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(kDrainMs));
}

}  // namespace
}  // namespace cairn::server
