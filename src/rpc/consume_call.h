// One unary Consume.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "rpc/consume_request.h"
#include "rpc/service_context.h"

namespace cairn::rpc {

// Parses `request`, fetches on a reader thread and fills `response`.
grpc::ServerUnaryReactor* StartConsume(const ServiceContext& context,
                                       grpc::CallbackServerContext* call,
                                       const grpc::ByteBuffer* request, grpc::ByteBuffer* response);

// The message in `buffer`. Errors: INTERNAL (as gRPC's own) when it is not one.
absl::StatusOr<ConsumeInput> ParseConsumeRequest(const grpc::ByteBuffer& buffer);

// RESOURCE_EXHAUSTED with reason OVERLOADED: too many calls wait for a reader thread.
absl::Status TooManyReads();

}  // namespace cairn::rpc
