// One ProduceStream: many appends in flight, one answer each, in the order of the requests.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "log/v1/log.pb.h"
#include "rpc/service_context.h"

namespace cairn::rpc {

grpc::ServerBidiReactor<logapi::v1::ProduceRequest, logapi::v1::ProduceResponse>*
StartProduceStream(const ServiceContext& context, grpc::CallbackServerContext* call);

}  // namespace cairn::rpc
