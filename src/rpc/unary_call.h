// UnaryCall: the reactor of a unary RPC whose work needs no state of its own.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <string_view>
#include <utility>

#include "api/status_codec.h"
#include "rpc/service_context.h"

namespace cairn::rpc {

// Whoever does the work calls End once, on any thread; gRPC then deletes the call through OnDone.
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  // `method` is a literal.
  UnaryCall(const ServiceContext& context, grpc::CallbackServerContext* call,
            std::string_view method)
      : report_(context, call, method) {}

  CallReport& report() { return report_; }

  // Whether the caller may; ends the call when not.
  bool MayUse(security::Action action, std::string_view topic) {
    return Passes(report_.Check(action, topic));
  }
  bool May(security::Action action) { return Passes(report_.CheckNoTopic(action)); }
  bool IsKnown() { return Passes(report_.guard().CheckIdentity()); }

  void End(absl::Status status) {
    status_ = std::move(status);
    Finish(api::ToGrpcStatus(status_));
  }

  void OnDone() override {
    report_.Done(status_, 1, status_.ok() ? 1 : 0);
    delete this;
  }

 private:
  ~UnaryCall() override = default;

  bool Passes(absl::Status checked) {
    const bool passes = checked.ok();
    if (!passes) End(std::move(checked));
    return passes;
  }

  CallReport report_;
  absl::Status status_;
};

}  // namespace cairn::rpc
