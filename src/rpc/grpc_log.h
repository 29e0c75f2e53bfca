// Where gRPC's own messages go, of which there is one set per process. It writes them to stderr
// otherwise, in a format of its own, among our lines or a command's output.
#pragma once

#include <functional>
#include <string>

namespace cairn::rpc {

// `sink` takes a message without its newline, on any of gRPC's threads; an empty one drops them.
// What is running in the old sink has ended when this returns. Without effect when GRPC_VERBOSITY
// or GRPC_TRACE is set: whoever debugs gRPC wants its own words.
void SetGrpcLogSink(std::function<void(const std::string& message)> sink);

}  // namespace cairn::rpc
