#include "client/produce_stream.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <utility>

#include "api/status_codec.h"
#include "log/v1/log.grpc.pb.h"

namespace cairn::client {
namespace {

using logapi::v1::ProduceRequest;
using logapi::v1::ProduceResponse;

// Writes begin outside of gRPC's reactions, so the call is held (AddHold) for as long as one may:
// while responses can come (one user) and while a write is announced or under way (one more).
class Stream final : public ProduceStream,
                     public grpc::ClientBidiReactor<ProduceRequest, ProduceResponse> {
 public:
  Stream(const std::shared_ptr<grpc::Channel>& channel, Handler& handler,
         std::shared_ptr<OpenCalls> open)
      : handler_(handler), open_(std::move(open)), stub_(channel) {
    open_->Opened();
  }

  void Begin() {
    stub_.async()->ProduceStream(&context_, this);
    AddHold();
    StartRead(&response_);
    StartCall();
  }

  void BeginWrite() override { users_.fetch_add(1); }
  void Write(const ProduceRequest& request) override { StartWrite(&request); }
  void Finish() override { StartWritesDone(); }
  void Cancel() override { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      handler_.OnBroken();
      DropUser();
      return;
    }
    handler_.OnResponse(response_);
    StartRead(&response_);
  }

  void OnWriteDone(bool ok) override {
    handler_.OnWritten(ok);
    DropUser();
  }

  void OnWritesDoneDone(bool ok) override {
    handler_.OnWritten(ok);
    DropUser();
  }

  void OnDone(const grpc::Status& status) override {
    handler_.OnClosed(api::FromGrpcStatus(status));
    const std::shared_ptr<OpenCalls> open = std::move(open_);
    delete this;     // lets go of the channel …
    open->Closed();  // … before its owner may
  }

 private:
  void DropUser() {
    if (users_.fetch_sub(1) == 1) RemoveHold();
  }

  Handler& handler_;
  std::shared_ptr<OpenCalls> open_;
  logapi::v1::Log::Stub stub_;
  grpc::ClientContext context_;
  ProduceResponse response_;
  std::atomic<int> users_ = 1;
};

}  // namespace

ProduceStream* ProduceStream::Start(const std::shared_ptr<grpc::Channel>& channel, Handler& handler,
                                    std::shared_ptr<OpenCalls> open) {
  auto* stream = new Stream(channel, handler, std::move(open));
  stream->Begin();
  return stream;
}

}  // namespace cairn::client
