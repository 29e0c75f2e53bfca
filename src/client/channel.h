// Makes the gRPC channels of a client from its options.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cairn/client.h"

namespace grpc {
class Channel;
}

namespace cairn::client {

// "a:1,b:2" as {"a:1", "b:2"}. Errors: INVALID_ARGUMENT naming the part that is not HOST:PORT.
absl::StatusOr<std::vector<std::string>> SplitAddresses(std::string_view list);

// A channel to one address. Does not connect yet. Thread-safe.
using ChannelFactory = std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;

// Reads the TLS files, once. Errors: as Client::Create.
absl::StatusOr<ChannelFactory> MakeChannelFactory(const TlsFiles& tls);

}  // namespace cairn::client
