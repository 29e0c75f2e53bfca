// For tests: grpc.health.v1 without its generated code, of which two messages with one field each
// are needed: {string service = 1} asks, {ServingStatus status = 1} answers.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "env/raw_client.h"

namespace cairn::server {

inline constexpr int kNowhere = -1;  // the stream has ended
inline constexpr int kServing = 1;
inline constexpr int kNotServing = 2;

// A Watch of one service.
class HealthStream {
 public:
  HealthStream(const std::string& address, const std::string& service)
      : stub_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        call_(stub_.PrepareCall(&context_, "/grpc.health.v1.Health/Watch", &queue_)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
    call_->StartCall(nullptr);
    Step();
    const grpc::Slice request("\x0a" + std::string(1, static_cast<char>(service.size())) + service);
    call_->WriteLast(grpc::ByteBuffer(&request, 1), {}, nullptr);
    Step();
  }
  ~HealthStream() {
    context_.TryCancel();
    Finish();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // Waits until the server ends it, and says how.
  grpc::Status End() {
    while (Next() != kNowhere) {
    }
    return Finish();
  }

  // Waits for the next status.
  int Next() {
    grpc::ByteBuffer received;
    call_->Read(&received, nullptr);
    grpc::Slice bytes;
    if (!Step() || !received.DumpToSingleSlice(&bytes).ok()) return kNowhere;
    return bytes.size() == 2 ? bytes.begin()[1] : 0;
  }
  // Waits until it is `status`; false when the stream ends before.
  bool Becomes(int status) {
    int next = kNowhere;
    do next = Next();
    while (next != status && next != kNowhere);
    return next == status;
  }

 private:
  bool Step() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }
  grpc::Status Finish() {
    if (!finished_) {
      finished_ = true;
      call_->Finish(&status_, nullptr);
      Step();
    }
    return status_;
  }

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool finished_ = false;
  grpc::Status status_;
};

// What a server serves now.
inline int HealthOf(const std::string& address, const std::string& service) {
  return HealthStream(address, service).Next();
}

inline std::string GetReady(const std::string& address, const std::string& query = "") {
  env::RawClient client(address);
  client.Send("GET /readyz" + query + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  return client.ReceiveAll();
}

}  // namespace cairn::server
