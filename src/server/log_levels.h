// LogLevels: which lines are logged, by the module that they are about.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cairn::server {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };
std::string_view ToString(LogLevel level);

// Who has something to tell.
enum class LogModule : uint8_t {
  kServer,    // start, stop, configuration
  kRpc,       // calls and streams of clients, their connections, gRPC itself
  kCluster,   // membership, peers, leaders, replicas
  kGossip,    // what gossip sees
  kSecurity,  // certificates, policy, audit log
  kLog,       // recovery and damage of partitions
};
inline constexpr size_t kLogModules = 6;
std::string_view ToString(LogModule module);

// The least level that is logged, for each module.
class LogLevels {
 public:
  // The same for all of them.
  LogLevels(LogLevel everywhere) : everywhere_(everywhere) {
    levels_.fill(everywhere);
  }  // NOLINT: it means that

  // "info,rpc=debug,gossip=warn": a level for all, at most one, and levels of modules, which count
  // more wherever they stand. Without the first, info. Errors: INVALID_ARGUMENT listing the names
  // that there are.
  static absl::StatusOr<LogLevels> Parse(std::string_view text);
  // What Parse would take.
  std::string Text() const;

  LogLevel of(LogModule module) const { return levels_[static_cast<size_t>(module)]; }

  friend bool operator==(const LogLevels&, const LogLevels&) = default;

 private:
  LogLevel everywhere_;  // what Text says of most
  std::array<LogLevel, kLogModules> levels_{};
};

}  // namespace cairn::server
