// CPU time and memory of a process, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace cairn::apps {

struct ProcessUsage {
  double cpu_seconds = 0;       // user and system, since its start
  uint64_t resident_bytes = 0;  // now
};

// Errors: NOT_FOUND when there is no such process.
absl::StatusOr<ProcessUsage> UsageOf(pid_t pid);

// The process that listens on the TCP port of `address` on this machine, as far as this user may
// see it. Errors: NOT_FOUND.
absl::StatusOr<pid_t> ListenerOf(const std::string& address);

}  // namespace cairn::apps
