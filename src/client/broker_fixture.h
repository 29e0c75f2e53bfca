// A broker that does what a test tells it to: refuses, breaks the stream, forgets. For tests.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/status_codec.h"
#include "base/error_info.h"
#include "base/mutex.h"
#include "cairn/client.h"
#include "cairn/v1/admin.grpc.pb.h"
#include "log/v1/log.grpc.pb.h"

namespace cairn::client {

// One topic "t". Keeps the sequence rule of a real broker: per epoch, from 0, without a hole; a
// repeated one is answered as a duplicate.
class ScriptedBroker final : public logapi::v1::Log::Service, public v1::Admin::Service {
 public:
  // What to do with a request, before the sequence rule: nothing, an error to answer with, or break
  // the stream (before or after storing it).
  struct Act {
    enum Kind { kStore, kRefuse, kBreakBefore, kBreakAfter } kind = kStore;
    absl::Status refusal = {};
  };
  using Script = std::function<Act(int nth, const logapi::v1::ProduceRequest&)>;

  struct Stored {
    uint64_t offset = 0;
    int32_t epoch = 0;
    int32_t base_sequence = 0;
    uint32_t record_count = 0;
    std::string records;
  };

  explicit ScriptedBroker(Script script, int32_t partitions = 1)
      : script_(std::move(script)), partitions_(partitions) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(static_cast<logapi::v1::Log::Service*>(this));
    builder.RegisterService(static_cast<v1::Admin::Service*>(this));
    server_ = builder.BuildAndStart();
  }
  ~ScriptedBroker() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<Stored> stored() const {
    base::MutexLock lock(mutex_);
    return stored_;
  }
  int requests() const {
    base::MutexLock lock(mutex_);
    return requests_;
  }

  grpc::Status DescribeTopic(grpc::ServerContext*, const v1::DescribeTopicRequest* request,
                             v1::DescribeTopicResponse* response) override {
    if (request->name() != "t") {
      return api::ToGrpcStatus(base::MakeError(absl::StatusCode::kNotFound, "no such topic",
                                               base::reason::kUnknownTopic));
    }
    response->mutable_topic()->set_name("t");
    response->mutable_topic()->set_partition_count(partitions_);
    response->mutable_topic()->mutable_settings()->set_max_record_bytes(1000);
    return grpc::Status::OK;
  }

  grpc::Status AllocateProducerId(grpc::ServerContext*, const v1::AllocateProducerIdRequest*,
                                  v1::AllocateProducerIdResponse* response) override {
    response->set_producer_id(7);
    return grpc::Status::OK;
  }

  grpc::Status ProduceStream(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<logapi::v1::ProduceResponse, logapi::v1::ProduceRequest>* stream)
      override {
    logapi::v1::ProduceRequest request;
    while (stream->Read(&request)) {
      logapi::v1::ProduceResponse response;
      const Act act = Decide(request);
      if (act.kind == Act::kBreakBefore) return {grpc::StatusCode::UNAVAILABLE, "scripted"};
      if (act.kind == Act::kRefuse) {
        api::ToErrorMessage(act.refusal, *response.mutable_error());
      } else {
        Store(request, response);
      }
      if (act.kind == Act::kBreakAfter) return {grpc::StatusCode::UNAVAILABLE, "scripted"};
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

 private:
  Act Decide(const logapi::v1::ProduceRequest& request) {
    int nth = 0;
    {
      base::MutexLock lock(mutex_);
      nth = requests_++;
    }
    return script_(nth, request);
  }

  void Store(const logapi::v1::ProduceRequest& request, logapi::v1::ProduceResponse& response) {
    base::MutexLock lock(mutex_);
    const auto& producer = request.producer();
    if (request.has_producer()) {
      for (const Stored& batch : stored_) {
        if (batch.epoch == producer.epoch() && batch.base_sequence == producer.base_sequence()) {
          response.set_offset(batch.offset);
          response.set_duplicate(true);
          return;
        }
      }
      if (producer.epoch() > epoch_) {
        epoch_ = producer.epoch();
        next_sequence_ = 0;
      }
      if (producer.base_sequence() != next_sequence_) {
        api::ToErrorMessage(base::MakeError(absl::StatusCode::kFailedPrecondition, "a hole",
                                            base::reason::kOutOfOrderSequence),
                            *response.mutable_error());
        return;
      }
      next_sequence_ += static_cast<int32_t>(request.batch().record_count());
    }
    response.set_offset(end_offset_);
    stored_.push_back({.offset = end_offset_,
                       .epoch = producer.epoch(),
                       .base_sequence = producer.base_sequence(),
                       .record_count = request.batch().record_count(),
                       .records = request.batch().records()});
    end_offset_ += request.batch().record_count();
  }

  const Script script_;
  const int32_t partitions_;
  int port_ = 0;
  mutable base::Mutex mutex_;
  int requests_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::vector<Stored> stored_ CAIRN_GUARDED_BY(mutex_);
  uint64_t end_offset_ CAIRN_GUARDED_BY(mutex_) = 0;
  int32_t epoch_ CAIRN_GUARDED_BY(mutex_) = 0;
  int32_t next_sequence_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace cairn::client
