// ServerConfig: everything a server can be told, and where the values come from: command line flags
// over CAIRN_* environment variables over the YAML file over OTEL_* variables (of what they are
// about) over the defaults below.
//
// One table (ConfigKeys) describes every key; flags, variables, file and help all follow from it. A
// key is written data_dir or data-dir in the file, CAIRN_DATA_DIR in the environment, --data-dir on
// the command line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/raft_timeouts.h"
#include "broker/topic.h"
#include "otel/options.h"
#include "security/audit_log.h"
#include "security/tls/tls_context.h"
#include "server/logger.h"

namespace cairn::server {

struct ServerConfig {
  std::string data_dir = "cairn-data";
  std::string node_name;                     // "" means the machine's host name
  std::string bind_addr = "127.0.0.1:8401";  // gossip, UDP and TCP; port 0 takes a free one
  uint16_t rpc_port = 8400;                  // on the host of bind_addr; 0 takes a free port
  std::vector<std::string> start_join_addrs;
  bool bootstrap = false;
  bool leave_on_stop = false;  // a stop takes the node out of its cluster
  std::string advertise_addr;  // host:port at which clients and nodes reach this one; "": the bound
  std::string encrypt;         // key of gossip, base64; "": that of keyring_file, or none
  std::string keyring_file;    // "": gossip-keyring.json in data_dir
  std::string rack;            // replicas of a partition go to different racks
  int64_t election_timeout_ms = broker::RaftTimeouts{}.election_ms;
  int64_t heartbeat_ms = broker::RaftTimeouts{}.heartbeat_ms;
  bool insecure = false;  // listen beyond loopback without TLS

  // PEM files; "" for none.
  security::TlsFiles server_tls;        // shown to clients, and who signs theirs
  security::TlsFiles peer_tls;          // shown to other nodes, and who signs theirs
  std::vector<std::string> peer_names;  // of nodes' certificates; empty: any
  // Casbin's; both or neither.
  std::string acl_model_file;
  std::string acl_policy_file;
  bool acl_from_cluster = false;    // as soon as the cluster has a policy
  security::AuditLogOptions audit;  // path "": no audit log
  bool no_reflection = false;
  bool health_without_certificate = false;  // over HTTPS

  uint32_t max_connections = 0;  // to the RPC port; 0: as many as there are descriptors for
  uint32_t max_connections_per_address = 4096;  // of clients of one IP address; 0: any number

  uint32_t metrics_max_partitions = 2000;  // that a scrape of /metrics shows; 0: none

  otel::Settings otel;             // traces and metrics for a collector
  otel::Variables otel_variables;  // what the OTEL_* variables say beside it

  LogLevels log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kAuto;
  std::string log_file;  // "": stderr

  uint32_t shards = 0;  // 0 means one per hardware thread
  uint64_t tail_cache_bytes = 64 << 20;
  uint64_t max_inflight_bytes = 256 << 20;
  int64_t retention_interval_ms = 30'000;
  int32_t default_partitions = 1;
  broker::TopicSettings default_settings;
};

struct ConfigKey {
  std::string_view name;        // "data_dir"
  std::string_view value_name;  // "DIR"; "" for a switch, whose values are true and false
  std::string_view help;        // a sentence without its period
  // Sets the key from text. Errors: INVALID_ARGUMENT that says what the text should be (not where
  // it stands).
  absl::Status (*set)(ServerConfig& config, std::string_view text);
  // The value as text that `set` would take.
  std::string (*show)(const ServerConfig& config);

  bool is_switch() const { return value_name.empty(); }
};

// In the order of the help.
std::span<const ConfigKey> ConfigKeys();

// The key called `name`, whose '-' and '_' count as the same; nullptr when there is none.
const ConfigKey* FindConfigKey(std::string_view name);

// Sets `name` from `text`. `where` stands in front of an error: "--rpc-port", "CAIRN_RPC_PORT",
// "a.yaml:3: rpc_port".
absl::Status SetConfigValue(ServerConfig& config, std::string_view name, std::string_view text,
                            std::string_view where);

// Reads YAML: one mapping of keys to scalars, or to a sequence where a key takes a list. `file`
// names it in errors. Errors: INVALID_ARGUMENT with file and line: syntax, an unknown key (with the
// nearest known one), a key twice, a wrong value.
absl::Status ApplyConfigText(ServerConfig& config, std::string_view yaml, std::string_view file);

struct ConfigSources {
  std::optional<std::string> config_file;
  // Looks up an environment variable; nullptr where there is none. Usually std::getenv.
  std::function<const char*(const char*)> environment;
  std::vector<std::pair<std::string, std::string>> flags;  // key and text; the last of a key counts
};

// The configuration of all sources together. Errors: those of ApplyConfigText and SetConfigValue;
// of reading the file, naming it.
absl::StatusOr<ServerConfig> LoadConfig(const ConfigSources& sources);

// What a server would refuse, before it touches anything. Errors: INVALID_ARGUMENT for values that
// do not fit together; FAILED_PRECONDITION for an address beyond loopback without `insecure`.
absl::Status ValidateConfig(const ServerConfig& config);

}  // namespace cairn::server
