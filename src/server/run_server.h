// RunServer: a server for the life of a process: starts it, waits for SIGTERM or SIGINT, stops it.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "server/server_config.h"

namespace cairn::server {

// Returns the exit code of the process: 0 after a clean stop, 1 when the server could not start
// (the reason is logged). A stop that takes longer than kStopDeadlineMs, or a second signal, ends
// the process with 1 at once; what was acknowledged is on disk all the same. Call from the main
// thread before any other thread exists: the signals must be blocked in every thread. `ready` hears
// "host:port" once the server answers.
// SIGHUP opens the log file again, re-reads certificates and policy, and asks `reread` for the
// configuration, of which the levels of the log are taken over.
int RunServer(const ServerConfig& config,
              const std::function<void(const std::string& address)>& ready = {},
              const std::function<absl::StatusOr<ServerConfig>()>& reread = {});

}  // namespace cairn::server
