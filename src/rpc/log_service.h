// log.v1.Log on gRPC's callback API: dispatches each call to the class that runs it.
#pragma once

#include "log/v1/log.grpc.pb.h"
#include "rpc/service_context.h"

namespace cairn::rpc {

// Consume and ConsumeStream are registered raw: their responses are built as chains of slices
// (response_builder.h) instead of messages.
using LogServiceBase =
    logapi::v1::Log::WithCallbackMethod_Produce<logapi::v1::Log::WithRawCallbackMethod_Consume<
        logapi::v1::Log::WithRawCallbackMethod_ConsumeStream<
            logapi::v1::Log::WithCallbackMethod_ProduceStream<
                logapi::v1::Log::WithCallbackMethod_GetServers<logapi::v1::Log::Service>>>>>;

class LogService final : public LogServiceBase {
 public:
  // `context` outlives the service.
  explicit LogService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* Produce(grpc::CallbackServerContext* call,
                                    const logapi::v1::ProduceRequest* request,
                                    logapi::v1::ProduceResponse* response) override;
  grpc::ServerUnaryReactor* Consume(grpc::CallbackServerContext* call,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ConsumeStream(
      grpc::CallbackServerContext* call, const grpc::ByteBuffer* request) override;
  grpc::ServerBidiReactor<logapi::v1::ProduceRequest, logapi::v1::ProduceResponse>* ProduceStream(
      grpc::CallbackServerContext* call) override;
  grpc::ServerUnaryReactor* GetServers(grpc::CallbackServerContext* call,
                                       const logapi::v1::GetServersRequest* request,
                                       logapi::v1::GetServersResponse* response) override;

 private:
  const ServiceContext& context_;
};

}  // namespace cairn::rpc
