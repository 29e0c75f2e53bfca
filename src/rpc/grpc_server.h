// GrpcServer: the gRPC half of the RPC port: log.v1.Log, cairn.v1.Admin, health and reflection, on
// connections that somebody else accepted.
//
// Threads: thread-safe. gRPC runs the services on threads of its own; produce requests go from
// there to the partition's shard, fetches to a small pool of reader threads.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/membership.h"
#include "cluster/node.h"
#include "env/clock.h"
#include "env/network.h"
#include "rpc/consumer_positions.h"
#include "rpc/rpc_observer.h"
#include "security/access.h"
#include "security/tls/tls_identity.h"
#include "telemetry/head_tracer.h"

namespace cairn::rpc {

// One line of GetServers.
struct ServerInfo {
  std::string id;
  std::string rpc_addr;
  bool is_leader = false;
};

// What grpc.health.v1 knows; "" is the server as a whole.
inline constexpr std::string_view kWholeServer = "";
inline constexpr std::string_view kLogService = "log.v1.Log";
inline constexpr std::string_view kAdminService = "cairn.v1.Admin";
inline constexpr std::array kHealthServices = {kWholeServer, kLogService, kAdminService};

struct GrpcServerOptions {
  // Threads that fetches block on. One per core keeps the page cache and the disk busy.
  size_t reader_threads = 2;
  // Connections whose descriptor number is this or above are closed: descriptors below are given
  // out first, so it bounds the connections and keeps the rest for files. 0 means no bound.
  int max_descriptor = 0;
  // The brokers, asked at each GetServers. Thread-safe.
  std::function<std::vector<ServerInfo>()> servers;
  // Who may do what; nullptr: everyone everything. Outlives the server.
  const security::Access* access = nullptr;
  // Whether it follows the cluster's policy.
  bool access_from_cluster = false;
  // TLS; nullptr: none. Outlives the server.
  const security::CurrentTls* tls = nullptr;
  // grpc.reflection: what there is to call. The same for all servers of a process.
  bool reflection = true;
  // Decides what is traced, and hears of it; nullptr: nothing is. Outlives the server.
  telemetry::HeadTracer* tracer = nullptr;
};

class GrpcServer {
 public:
  // `node`, `membership`, `clock` and `observer` outlive the server. Errors: INTERNAL when gRPC
  // does not start.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(cluster::Node& node,
                                                           cluster::Membership& membership,
                                                           env::Clock& clock, RpcObserver& observer,
                                                           GrpcServerOptions options);
  // Calls Shutdown with a deadline that has passed, if it was not called.
  ~GrpcServer();

  // Takes over a connection that opened with `first_bytes`. On the thread of the connection's
  // executor; not during or after Shutdown.
  void HandleConnection(std::unique_ptr<env::Connection> connection, std::string first_bytes);

  // The policy or the authorities have changed: ends the streams of whoever may no more. Any
  // thread.
  void Recheck();

  // What grpc.health.v1 answers for a service of kHealthServices, and tells who watches it. None
  // serves before it was set.
  void SetServing(std::string_view service, bool serving);

  // Refuses new calls, answers the accepted ones, ends the streams with UNAVAILABLE
  // (SHUTTING_DOWN), and cancels what is left after `deadline_ms` milliseconds. Blocking.
  // Idempotent.
  void Shutdown(int64_t deadline_ms);

  // Streams that are open now.
  size_t open_streams() const;

  // How far those are behind that follow a partition.
  ConsumerLags consumer_lags() const;

 private:
  class Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::rpc
