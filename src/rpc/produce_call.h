// One unary Produce.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "log/v1/log.pb.h"
#include "rpc/service_context.h"

namespace cairn::rpc {

// Starts the append and returns the reactor that will answer it.
grpc::ServerUnaryReactor* StartProduce(const ServiceContext& context,
                                       grpc::CallbackServerContext* call,
                                       const logapi::v1::ProduceRequest* request,
                                       logapi::v1::ProduceResponse* response);

}  // namespace cairn::rpc
