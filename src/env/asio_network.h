// TCP over Boost.Asio. Internal to env: the Network half of EventLoop.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "env/network.h"

namespace boost::asio {
class io_context;
}

namespace cairn::env {

// See Network. The objects they make use `io`, which must outlive them.
absl::StatusOr<std::unique_ptr<Listener>> AsioListen(boost::asio::io_context& io,
                                                     const std::string& address);
void AsioConnect(boost::asio::io_context& io, const std::string& address,
                 Network::ConnectCallback done);

}  // namespace cairn::env
