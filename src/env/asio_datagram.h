// UDP over Boost.Asio. Internal to env: the datagram half of EventLoop.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "env/datagram.h"

namespace boost::asio {
class io_context;
}

namespace cairn::env {

// See Network::BindDatagram. The socket uses `io`, which must outlive it.
absl::StatusOr<std::unique_ptr<DatagramSocket>> AsioBindDatagram(boost::asio::io_context& io,
                                                                 const std::string& address);

}  // namespace cairn::env
