// Server: the composition root of one node. Opens the cluster node, serves it by gRPC and HTTP on
// one port, and takes everything down in the right order.
//
// Order of a stop: readiness and health say no; with leave_on_stop the cluster takes over what the
// node holds, and removes it; leadership moves to other nodes; no connection is
// accepted any more; streams are drained and accepted requests answered; the node syncs and closes
// its logs; the threads end.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cluster/node.h"
#include "server/logger.h"
#include "server/server_config.h"

namespace cairn::server {

// How long a stop waits for clients to take their answers before it cancels their calls, and for
// everything together (DESIGN: exit within 10 s of SIGTERM).
inline constexpr int64_t kDrainMs = 5'000;
inline constexpr int64_t kStopDeadlineMs = 10'000;

// Thread-safe.
class Server {
 public:
  // Returns once the server answers. Blocking: opening recovers the logs. `logger` outlives the
  // server. Errors: those of ValidateConfig and Node::Open; ALREADY_EXISTS when the port is
  // taken, naming the flag.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerConfig& config, Logger& logger);

  // Stops, if that was not done.
  ~Server();

  // "host:port" on which gRPC and HTTP are served, with the real port.
  const std::string& address() const;

  cluster::Node& node();

  // Streams that are open now.
  size_t open_streams() const;

  // Re-reads certificates and policy now; what is broken is logged and changes nothing. Of `config`
  // it takes the log levels and the limits of connections; the rest holds until the next start.
  void Reload(const ServerConfig& config);

  // Blocking, about kDrainMs at most when clients do not read, and kLeaveMs with leave_on_stop.
  // Idempotent.
  void Stop();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::server
