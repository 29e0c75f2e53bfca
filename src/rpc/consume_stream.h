// One ConsumeStream: reads from a position on and follows the end of the log.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "rpc/service_context.h"

namespace cairn::rpc {

grpc::ServerWriteReactor<grpc::ByteBuffer>* StartConsumeStream(const ServiceContext& context,
                                                               grpc::CallbackServerContext* call,
                                                               const grpc::ByteBuffer* request);

}  // namespace cairn::rpc
