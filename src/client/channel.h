// Makes the gRPC channel of a client from its options.
#pragma once

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

// Does not connect. Errors: as Client::Create. With several addresses, host names are resolved
// here, once.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const ClientOptions& options);

}  // namespace cairn::client
