#include "server/server_config.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/match.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "env/host_port.h"
#include "env/posix.h"

namespace cairn::server {
namespace {

constexpr uint64_t kMaxConfigFileBytes = 1 << 20;  // a hundred times what anyone writes

std::string VariableName(std::string_view key) {
  std::string name = base::StrCat("CAIRN_", key);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

std::string FlagName(std::string_view key) {
  std::string name = base::StrCat("--", key);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

absl::Status ValidatePair(const security::TlsFiles& files, std::string_view flag) {
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError(
        base::StrCat(flag, "cert-file and ", flag, "key-file are given together, or neither"));
  }
  if (files.certificate.empty() && !files.authorities.empty()) {
    return absl::InvalidArgumentError(
        base::StrCat(flag, "ca-file is given without ", flag, "cert-file"));
  }
  if (files.authorities.empty() && !files.revocations.empty()) {
    return absl::InvalidArgumentError(
        base::StrCat(flag, "crl-file is given without ", flag, "ca-file, whose list it is"));
  }
  return absl::OkStatus();
}

absl::Status ValidateSecurity(const ServerConfig& config) {
  CAIRN_RETURN_IF_ERROR(ValidatePair(config.server_tls, "--server-tls-"));
  CAIRN_RETURN_IF_ERROR(ValidatePair(config.peer_tls, "--peer-tls-"));
  if (!config.peer_tls.certificate.empty() && config.peer_tls.authorities.empty()) {
    return absl::InvalidArgumentError(
        "--peer-tls-ca-file is missing: nodes have to know each other's authority");
  }
  if (!config.peer_names.empty() && config.peer_tls.certificate.empty()) {
    return absl::InvalidArgumentError("--peer-names is about certificates: give --peer-tls-*-file");
  }
  if (config.acl_model_file.empty() != config.acl_policy_file.empty()) {
    return absl::InvalidArgumentError(
        "--acl-model-file and --acl-policy-file are given together, or neither");
  }
  if (!config.acl_model_file.empty() && config.server_tls.authorities.empty()) {
    return absl::InvalidArgumentError(
        "--acl-policy-file needs --server-tls-ca-file: without certificates nobody could be told "
        "apart, and nobody would be allowed anything");
  }
  if (config.health_without_certificate && config.server_tls.authorities.empty()) {
    return absl::InvalidArgumentError(
        "--health-without-certificate says nothing without --server-tls-ca-file: nobody is asked "
        "for "
        "a certificate");
  }
  if (config.acl_from_cluster && config.acl_model_file.empty()) {
    return absl::InvalidArgumentError(
        "--acl-from-cluster needs --acl-model-file and --acl-policy-file, too: they hold until the "
        "cluster has a policy");
  }
  if (!config.audit.path.empty() && config.acl_model_file.empty()) {
    return absl::InvalidArgumentError(
        "--audit-log has nothing to tell without --acl-model-file and --acl-policy-file");
  }
  return absl::OkStatus();
}

// What connections from other machines would need.
std::string_view MissingSecurity(const ServerConfig& config) {
  if (config.server_tls.authorities.empty())
    return "--server-tls-cert-file, -key-file and -ca-file";
  if (config.peer_tls.authorities.empty()) return "--peer-tls-cert-file, -key-file and -ca-file";
  return "";
}

}  // namespace

absl::Status SetConfigValue(ServerConfig& config, std::string_view name, std::string_view text,
                            std::string_view where) {
  const ConfigKey* key = FindConfigKey(name);
  if (key == nullptr)
    return absl::InvalidArgumentError(base::StrCat(where, ": there is no such key"));
  absl::Status set = key->set(config, text);
  if (set.ok()) return set;
  return absl::InvalidArgumentError(base::StrCat(where, ": ", base::StdView(set.message())));
}

absl::StatusOr<ServerConfig> LoadConfig(const ConfigSources& sources) {
  ServerConfig config;
  if (sources.config_file.has_value()) {
    const auto fs = env::NewPosixFileSystem();
    CAIRN_ASSIGN_OR_RETURN(const std::string text,
                           env::ReadFile(*fs, *sources.config_file, kMaxConfigFileBytes));
    CAIRN_RETURN_IF_ERROR(ApplyConfigText(config, text, *sources.config_file));
  }
  if (sources.environment) {
    config.otel_variables = otel::ReadVariables(sources.environment);
    for (const ConfigKey& key : ConfigKeys()) {
      const std::string variable = VariableName(key.name);
      const char* text = sources.environment(variable.c_str());
      if (text != nullptr) CAIRN_RETURN_IF_ERROR(SetConfigValue(config, key.name, text, variable));
    }
  }
  for (const auto& [key, text] : sources.flags) {
    CAIRN_RETURN_IF_ERROR(SetConfigValue(config, key, text, FlagName(key)));
  }
  return config;
}

absl::Status ValidateConfig(const ServerConfig& config) {
  if (config.data_dir.empty()) return absl::InvalidArgumentError("--data-dir is empty");
  const auto bind = env::ParseHostPort(config.bind_addr);
  if (!bind.ok()) {
    return absl::InvalidArgumentError(
        base::StrCat("--bind-addr: ", base::StdView(bind.status().message())));
  }
  CAIRN_RETURN_IF_ERROR(ValidateSecurity(config));
  if (!config.insecure && !IsLoopback(bind->host)) {
    if (const std::string_view missing = MissingSecurity(config); !missing.empty()) {
      return absl::FailedPreconditionError(base::StrCat(
          "--bind-addr ", config.bind_addr, " is reachable from other machines, and ", missing,
          " are missing: give them, bind to 127.0.0.1, or add --insecure if the network is "
          "trusted"));
    }
  }
  if (bind->port != 0 && bind->port == config.rpc_port) {
    return absl::InvalidArgumentError(
        base::StrCat("--bind-addr and --rpc-port name the same port, ", config.rpc_port,
                     "; gossip and RPC need one each"));
  }
  for (const std::string& address : config.start_join_addrs) {
    if (const auto join = env::ParseHostPort(address); !join.ok()) {
      return absl::InvalidArgumentError(
          base::StrCat("--start-join-addrs: ", base::StdView(join.status().message())));
    }
  }
  if (!config.advertise_addr.empty()) {
    if (const auto own = env::ParseHostPort(config.advertise_addr); !own.ok()) {
      return absl::InvalidArgumentError(
          base::StrCat("--advertise-addr: ", base::StdView(own.status().message())));
    }
  }
  if (config.election_timeout_ms < 3 * config.heartbeat_ms) {
    return absl::InvalidArgumentError(
        base::StrCat("--election-timeout-ms ", config.election_timeout_ms,
                     " is less than three times --heartbeat-ms, ", config.heartbeat_ms,
                     ": one late heartbeat would cost the leadership"));
  }
  if (absl::Status topics = broker::ValidateTopicSettings(config.default_settings); !topics.ok()) {
    return absl::InvalidArgumentError(
        base::StrCat("defaults for topics: ", base::StdView(topics.message())));
  }
  return absl::OkStatus();
}

}  // namespace cairn::server
