// ProduceStream: pipelining, order, isolation of errors, ends of every kind.
#include <future>
#include <thread>

#include "server/server_fixture.h"

namespace cairn::server {
namespace {

using logapi::v1::ProduceRequest;
using logapi::v1::ProduceResponse;

class ProduceStreamTest : public ServerFixture {
 protected:
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<ProduceRequest, ProduceResponse>> rpc;
  };
  std::unique_ptr<Stream> Open() {
    auto stream = std::make_unique<Stream>();
    SetDeadline(stream->context);
    stream->rpc = log_->ProduceStream(&stream->context);
    return stream;
  }
  static ProduceRequest Value(const std::string& value) {
    ProduceRequest request;
    request.mutable_record()->set_value(value);
    return request;
  }
};

TEST_F(ProduceStreamTest, AnswersEachOfManyPipelinedRequestsInOrder) {
  constexpr uint64_t kCount = 5000;  // several times what one stream may have in flight
  auto stream = Open();
  std::thread writer([&] {
    for (uint64_t i = 0; i < kCount; ++i) {
      if (!stream->rpc->Write(Value(std::to_string(i)), grpc::WriteOptions().set_buffer_hint()))
        break;
    }
    stream->rpc->WritesDone();
  });
  ProduceResponse response;
  uint64_t answered = 0;
  while (stream->rpc->Read(&response)) {
    EXPECT_EQ(response.offset(), answered);
    ++answered;
  }
  writer.join();
  EXPECT_EQ(answered, kCount);
  EXPECT_TRUE(stream->rpc->Finish().ok());
}

TEST_F(ProduceStreamTest, AnswersOneRequestWithoutWaitingForTheNext) {
  auto stream = Open();
  for (uint64_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream->rpc->Write(Value("x")));
    ProduceResponse response;
    ASSERT_TRUE(stream->rpc->Read(&response));
    EXPECT_EQ(response.offset(), i);
  }
  stream->rpc->WritesDone();
  EXPECT_TRUE(stream->rpc->Finish().ok());
}

TEST_F(ProduceStreamTest, AnswersErrorsInBandAndGoesOn) {
  auto stream = Open();
  for (int i = 0; i < 300; ++i) {
    ProduceRequest request = Value("x");
    request.set_errors_in_band(true);
    if (i % 3 == 1) request.set_topic("nowhere");
    if (i % 3 == 2) request.clear_record();
    ASSERT_TRUE(stream->rpc->Write(request, grpc::WriteOptions().set_buffer_hint()));
  }
  stream->rpc->WritesDone();
  ProduceResponse response;
  uint64_t stored = 0;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(stream->rpc->Read(&response)) << i;
    if (i % 3 == 0) {
      EXPECT_FALSE(response.has_error()) << i;
      EXPECT_EQ(response.offset(), stored++);
    } else {
      EXPECT_EQ(response.error().reason(),
                i % 3 == 1 ? base::reason::kUnknownTopic : base::reason::kEmptyBatch);
      EXPECT_EQ(response.error().code(), i % 3 == 1 ? grpc::NOT_FOUND : grpc::INVALID_ARGUMENT);
    }
  }
  EXPECT_FALSE(stream->rpc->Read(&response));
  EXPECT_TRUE(stream->rpc->Finish().ok());
}

TEST_F(ProduceStreamTest, EndsWithAnErrorAfterAllEarlierAnswers) {
  auto stream = Open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(stream->rpc->Write(Value("x")));
  stream->rpc->Write(ProduceRequest());
  for (int i = 0; i < 10; ++i) stream->rpc->Write(Value("behind"));
  ProduceResponse response;
  for (uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(stream->rpc->Read(&response)) << i;
    EXPECT_EQ(response.offset(), i);
  }
  EXPECT_FALSE(stream->rpc->Read(&response));
  const absl::Status status = api::FromGrpcStatus(stream->rpc->Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Reason(status), base::reason::kEmptyBatch);
}

TEST_F(ProduceStreamTest, KeepsTheOrderOverSeveralPartitions) {
  ASSERT_TRUE(CreateTopic("wide", 8).ok());
  auto stream = Open();
  for (int i = 0; i < 400; ++i) {
    ProduceRequest request = Value("x");
    request.set_topic("wide");
    request.set_partition(i % 8);
    ASSERT_TRUE(stream->rpc->Write(request, grpc::WriteOptions().set_buffer_hint()));
  }
  stream->rpc->WritesDone();
  ProduceResponse response;
  for (uint64_t i = 0; i < 400; ++i) {
    ASSERT_TRUE(stream->rpc->Read(&response));
    EXPECT_EQ(response.offset(), i / 8);
  }
  EXPECT_TRUE(stream->rpc->Finish().ok());
}

TEST_F(ProduceStreamTest, FindsATopicThatWasDeletedAndCreatedAgain) {
  ASSERT_TRUE(CreateTopic("t").ok());
  auto stream = Open();
  ProduceRequest request = Value("x");
  request.set_topic("t");
  request.set_errors_in_band(true);
  ProduceResponse response;
  ASSERT_TRUE(stream->rpc->Write(request) && stream->rpc->Read(&response));
  EXPECT_FALSE(response.has_error());
  {
    grpc::ClientContext context;
    cairn::v1::DeleteTopicRequest gone;
    gone.set_name("t");
    cairn::v1::DeleteTopicResponse deleted;
    ASSERT_TRUE(admin_->DeleteTopic(&context, gone, &deleted).ok());
  }
  ASSERT_TRUE(stream->rpc->Write(request) && stream->rpc->Read(&response));
  EXPECT_EQ(response.error().reason(), base::reason::kUnknownTopic);
  ASSERT_TRUE(CreateTopic("t").ok());
  ASSERT_TRUE(stream->rpc->Write(request) && stream->rpc->Read(&response));
  EXPECT_FALSE(response.has_error()) << response.DebugString();
  EXPECT_EQ(response.offset(), 0u);
}

TEST_F(ProduceStreamTest, AnEmptyStreamEndsWithOk) {
  auto stream = Open();
  stream->rpc->WritesDone();
  EXPECT_TRUE(stream->rpc->Finish().ok());
}

TEST_F(ProduceStreamTest, AClientThatVanishesLeavesNothingBehind) {
  for (int round = 0; round < 20; ++round) {
    auto stream = Open();
    for (int i = 0; i < 50; ++i)
      stream->rpc->Write(Value("x"), grpc::WriteOptions().set_buffer_hint());
    stream->context.TryCancel();
    (void)stream->rpc->Finish();
  }
  EXPECT_TRUE(Await([&] { return server_->open_streams() == 0; }));
  EXPECT_TRUE(ProduceValue("alive").ok());
}

TEST_F(ProduceStreamTest, AClientThatDoesNotReadItsAnswersIsNotServedFurther) {
  auto stream = Open();
  // Answers fill the window (64 KiB), then the slots (1024), then the server stops reading. The
  // client's writes block at last; a thread carries them.
  std::atomic<int> written{0};
  std::thread writer([&] {
    const ProduceRequest request = Value(std::string(1000, 'x'));
    while (stream->rpc->Write(request)) ++written;
  });
  int before = -1;
  // Still for a quarter of a second means stuck.
  EXPECT_TRUE(Await([&] {
    const int now = written;
    const bool still = now == before && now > 1000;
    before = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    return still;
  }));
  EXPECT_TRUE(ProduceValue("others go on").ok());
  stream->context.TryCancel();
  writer.join();
  (void)stream->rpc->Finish();
  EXPECT_TRUE(Await([&] { return server_->open_streams() == 0; }));
}

TEST_F(ProduceStreamTest, AStopAnswersWhatWasAcceptedAndSaysWhy) {
  auto stream = Open();
  ProduceResponse response;
  ASSERT_TRUE(stream->rpc->Write(Value("x")) && stream->rpc->Read(&response));
  auto stopped = std::async(std::launch::async, [&] { server_->Stop(); });
  while (stream->rpc->Read(&response)) {
  }
  const absl::Status status = api::FromGrpcStatus(stream->rpc->Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Reason(status), base::reason::kShuttingDown);
  stopped.wait();
}

}  // namespace
}  // namespace cairn::server
