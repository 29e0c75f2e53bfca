#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "gossip/wire/keyring.h"
#include "otel/options.h"
#include "server/server_config.h"

namespace cairn::server {
namespace {

// The largest configuration values that make sense: beyond, a typing error is likelier than intent.
constexpr uint32_t kMaxShards = 1024;
constexpr int64_t kMaxBytes = int64_t{1} << 50;

absl::StatusOr<int64_t> ParseInteger(std::string_view text, int64_t least, int64_t most) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return absl::InvalidArgumentError(
        base::StrCat("\"", text, "\" is not a whole number from ", least, " to ", most));
  }
  return value;
}

absl::StatusOr<bool> ParseBool(std::string_view text) {
  if (text == "true" || text == "1" || text == "yes") return true;
  if (text == "false" || text == "0" || text == "no") return false;
  return absl::InvalidArgumentError(base::StrCat("\"", text, "\" is neither true nor false"));
}

// Setters and texts of members, so that a row of the table is one line.
template <auto kMember>
absl::Status SetText(ServerConfig& config, std::string_view text) {
  config.*kMember = text;
  return absl::OkStatus();
}
template <auto kMember>
std::string ShowText(const ServerConfig& config) {
  return config.*kMember;
}

template <auto kMember>
absl::Status SetBool(ServerConfig& config, std::string_view text) {
  const auto value = ParseBool(text);
  if (value.ok()) config.*kMember = *value;
  return value.status();
}
template <auto kMember>
std::string ShowBool(const ServerConfig& config) {
  return config.*kMember ? "true" : "false";
}

template <auto kMember, int64_t kLeast, int64_t kMost>
absl::Status SetInteger(ServerConfig& config, std::string_view text) {
  const auto value = ParseInteger(text, kLeast, kMost);
  if (value.ok())
    config.*kMember = static_cast<std::remove_reference_t<decltype(config.*kMember)>>(*value);
  return value.status();
}
template <auto kMember>
std::string ShowInteger(const ServerConfig& config) {
  return base::StrCat(config.*kMember);
}

// The same for a member of default_settings; the ranges are checked together by ValidateConfig.
template <auto kMember>
absl::Status SetTopic(ServerConfig& config, std::string_view text) {
  const auto value = ParseInteger(text, -1, std::numeric_limits<int64_t>::max());
  if (value.ok()) config.default_settings.*kMember = *value;
  return value.status();
}
template <auto kMember>
std::string ShowTopic(const ServerConfig& config) {
  return base::StrCat(config.default_settings.*kMember);
}

template <auto kMember>
absl::Status SetList(ServerConfig& config, std::string_view text) {
  std::vector<std::string>& list = config.*kMember;
  list.clear();
  for (absl::string_view part : absl::StrSplit(base::AbslView(text), ',', absl::SkipWhitespace())) {
    list.emplace_back(absl::StripAsciiWhitespace(part));
  }
  return absl::OkStatus();
}
template <auto kMember>
std::string ShowList(const ServerConfig& config) {
  return absl::StrJoin(config.*kMember, ",");
}

// The same for a file of server_tls or peer_tls.
template <auto kFiles, auto kMember>
absl::Status SetFile(ServerConfig& config, std::string_view text) {
  config.*kFiles.*kMember = text;
  return absl::OkStatus();
}
template <auto kFiles, auto kMember>
std::string ShowFile(const ServerConfig& config) {
  return config.*kFiles.*kMember;
}

// Keys are checked where they come in, by an error that does not show them, and never shown.
absl::Status SetKey(ServerConfig& config, std::string_view text) {
  if (!text.empty()) {
    if (const auto key = gossip::ParseKey(text); !key.ok()) {
      return absl::InvalidArgumentError(
          "expected a key of 16, 24 or 32 bytes in base64, as `cairn cluster keygen` makes one");
    }
  }
  config.encrypt = text;
  return absl::OkStatus();
}
std::string ShowKey(const ServerConfig& config) { return config.encrypt.empty() ? "" : "(set)"; }

absl::Status SetLogLevel(ServerConfig& config, std::string_view text) {
  const auto level = LogLevels::Parse(text);
  if (level.ok()) config.log_level = *level;
  return level.status();
}
std::string ShowLogLevel(const ServerConfig& config) { return config.log_level.Text(); }

absl::Status SetLogFormat(ServerConfig& config, std::string_view text) {
  const auto format = ParseLogFormat(text);
  if (format.ok()) config.log_format = *format;
  return format.status();
}
std::string ShowLogFormat(const ServerConfig& config) {
  return std::string(LogFormatName(config.log_format));
}

// Words for the values of an enumeration, the first for its 0.
template <typename Enum, size_t kCount>
absl::Status SetWord(Enum& value, const std::array<std::string_view, kCount>& words,
                     std::string_view text) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found == words.end()) {
    return absl::InvalidArgumentError(
        base::StrCat("\"", text, "\" is none of ",
                     absl::StrJoin(words, ", ", [](auto* to, auto word) { to->append(word); })));
  }
  value = static_cast<Enum>(found - words.begin());
  return absl::OkStatus();
}

constexpr std::array<std::string_view, 2> kAuditedDecisions = {"denials", "all"};
constexpr std::array<std::string_view, 3> kAuditSyncs = {"never", "interval", "batch"};

absl::Status SetAuditLog(ServerConfig& config, std::string_view text) {
  config.audit.path = text;
  return absl::OkStatus();
}
std::string ShowAuditLog(const ServerConfig& config) { return config.audit.path; }
absl::Status SetAuditDecisions(ServerConfig& config, std::string_view text) {
  return SetWord(config.audit.which, kAuditedDecisions, text);
}
std::string ShowAuditDecisions(const ServerConfig& config) {
  return std::string(kAuditedDecisions[static_cast<size_t>(config.audit.which)]);
}
absl::Status SetAuditSync(ServerConfig& config, std::string_view text) {
  return SetWord(config.audit.sync, kAuditSyncs, text);
}
std::string ShowAuditSync(const ServerConfig& config) {
  return std::string(kAuditSyncs[static_cast<size_t>(config.audit.sync)]);
}

// "" leaves it to the OTEL_* variables.
absl::Status SetOtlpEndpoint(ServerConfig& config, std::string_view text) {
  if (!text.empty()) CAIRN_RETURN_IF_ERROR(otel::CheckEndpoint(text));
  config.otel.endpoint = text;
  return absl::OkStatus();
}
std::string ShowOtlpEndpoint(const ServerConfig& config) { return config.otel.endpoint; }
absl::Status SetOtlpProtocol(ServerConfig& config, std::string_view text) {
  config.otel.protocol.reset();
  if (text.empty()) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(config.otel.protocol, otel::ParseProtocol(text));
  return absl::OkStatus();
}
std::string ShowOtlpProtocol(const ServerConfig& config) {
  return config.otel.protocol ? std::string(ToString(*config.otel.protocol)) : "";
}
absl::Status SetTraceSampler(ServerConfig& config, std::string_view text) {
  config.otel.sampling.reset();
  if (text.empty()) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(config.otel.sampling, otel::ParseSampling(text));
  return absl::OkStatus();
}
std::string ShowTraceSampler(const ServerConfig& config) {
  return config.otel.sampling ? ToString(*config.otel.sampling) : "";
}

using C = ServerConfig;
using T = broker::TopicSettings;
using F = security::TlsFiles;

constexpr auto kKeys = std::to_array<ConfigKey>({
    {"data_dir", "DIR", "directory of all records; created when it is missing",
     SetText<&C::data_dir>, ShowText<&C::data_dir>},
    {"node_name", "NAME", "name of this node (default: the host name)", SetText<&C::node_name>,
     ShowText<&C::node_name>},
    {"bind_addr", "HOST:PORT",
     "address of gossip, UDP and TCP (port 0 takes a free one); RPC listens on its host",
     SetText<&C::bind_addr>, ShowText<&C::bind_addr>},
    {"rpc_port", "PORT", "port of gRPC and HTTP; 0 takes a free one",
     SetInteger<&C::rpc_port, 0, 65535>, ShowInteger<&C::rpc_port>},
    {"start_join_addrs", "ADDR,...",
     "addresses of members to join, of their gossip (--bind-addr) or RPC",
     SetList<&C::start_join_addrs>, ShowList<&C::start_join_addrs>},
    {"bootstrap", "", "form a new cluster; harmless when there is one", SetBool<&C::bootstrap>,
     ShowBool<&C::bootstrap>},
    {"leave_on_stop", "",
     "a stop takes the node out of the cluster for ever, within a minute: its replicas move first; "
     "without it a restart is the same node",
     SetBool<&C::leave_on_stop>, ShowBool<&C::leave_on_stop>},
    {"advertise_addr", "HOST:PORT",
     "where clients and other nodes reach this one (default: the address it listens on); gossip "
     "uses its host",
     SetText<&C::advertise_addr>, ShowText<&C::advertise_addr>},
    {"encrypt", "KEY", "key that gossip is encrypted with, as `cairn cluster keygen` makes one",
     SetKey, ShowKey},
    {"keyring_file", "FILE",
     "keys of gossip, which replace --encrypt once the file is there (default: "
     "gossip-keyring.json in the data directory)",
     SetText<&C::keyring_file>, ShowText<&C::keyring_file>},
    {"rack", "NAME", "replicas of a partition go to nodes of different racks", SetText<&C::rack>,
     ShowText<&C::rack>},
    {"election_timeout_ms", "MS", "silence of a leader after which another is elected",
     SetInteger<&C::election_timeout_ms, 50, 60'000>, ShowInteger<&C::election_timeout_ms>},
    {"heartbeat_ms", "MS", "time between two signs of life of a leader",
     SetInteger<&C::heartbeat_ms, 10, 20'000>, ShowInteger<&C::heartbeat_ms>},
    {"insecure", "", "listen beyond loopback without TLS", SetBool<&C::insecure>,
     ShowBool<&C::insecure>},
    {"server_tls_cert_file", "FILE",
     "certificate shown to clients, by gRPC and HTTP, in PEM; re-read when it changes, as all "
     "files below",
     SetFile<&C::server_tls, &F::certificate>, ShowFile<&C::server_tls, &F::certificate>},
    {"server_tls_key_file", "FILE", "the key of that certificate", SetFile<&C::server_tls, &F::key>,
     ShowFile<&C::server_tls, &F::key>},
    {"server_tls_ca_file", "FILE",
     "authorities of clients' certificates; with it every client has to show one",
     SetFile<&C::server_tls, &F::authorities>, ShowFile<&C::server_tls, &F::authorities>},
    {"server_tls_crl_file", "FILE", "revocation lists of those authorities",
     SetFile<&C::server_tls, &F::revocations>, ShowFile<&C::server_tls, &F::revocations>},
    {"peer_tls_cert_file", "FILE",
     "certificate shown to other nodes; its extended key usage has serverAuth and clientAuth",
     SetFile<&C::peer_tls, &F::certificate>, ShowFile<&C::peer_tls, &F::certificate>},
    {"peer_tls_key_file", "FILE", "the key of that certificate", SetFile<&C::peer_tls, &F::key>,
     ShowFile<&C::peer_tls, &F::key>},
    {"peer_tls_ca_file", "FILE", "authorities of nodes' certificates",
     SetFile<&C::peer_tls, &F::authorities>, ShowFile<&C::peer_tls, &F::authorities>},
    {"peer_tls_crl_file", "FILE", "revocation lists of those authorities",
     SetFile<&C::peer_tls, &F::revocations>, ShowFile<&C::peer_tls, &F::revocations>},
    {"peer_names", "NAME,...",
     "names of nodes' certificates, with * for a part between dots (default: any)",
     SetList<&C::peer_names>, ShowList<&C::peer_names>},
    {"acl_model_file", "FILE",
     "who may do what: a Casbin model, with --acl-policy-file (default: everyone everything)",
     SetText<&C::acl_model_file>, ShowText<&C::acl_model_file>},
    {"acl_policy_file", "FILE", "the rules for that model", SetText<&C::acl_policy_file>,
     ShowText<&C::acl_policy_file>},
    {"acl_from_cluster", "",
     "follow the policy that `cairn acl set` gave the cluster; the files hold until there is one",
     SetBool<&C::acl_from_cluster>, ShowBool<&C::acl_from_cluster>},
    {"audit_log", "FILE",
     "append decisions of authorisation to this file, as lines of JSON; SIGHUP opens it again",
     SetAuditLog, ShowAuditLog},
    {"audit_decisions", "WHICH", "denials, or all decisions", SetAuditDecisions,
     ShowAuditDecisions},
    {"audit_sync", "WHEN",
     "make the audit log durable never, by interval (a second), or before the next batch",
     SetAuditSync, ShowAuditSync},
    {"health_without_certificate", "",
     "answer /livez and /readyz to whoever asks, also with TLS: for probes without a certificate",
     SetBool<&C::health_without_certificate>, ShowBool<&C::health_without_certificate>},
    {"no_reflection", "", "do not tell gRPC clients what there is to call",
     SetBool<&C::no_reflection>, ShowBool<&C::no_reflection>},
    {"max_connections", "N",
     "connections to the RPC port; 0 means three quarters of the descriptors the process may have",
     SetInteger<&C::max_connections, 0, 1 << 20>, ShowInteger<&C::max_connections>},
    {"max_connections_per_address", "N",
     "connections of clients of one IP address; 0 means any number",
     SetInteger<&C::max_connections_per_address, 0, 1 << 20>,
     ShowInteger<&C::max_connections_per_address>},
    {"metrics_max_partitions", "N",
     "partitions of this node that have metrics of their own, at most; 0 for none",
     SetInteger<&C::metrics_max_partitions, 0, 1 << 20>, ShowInteger<&C::metrics_max_partitions>},
    {"otlp_endpoint", "URL",
     "send traces and metrics to this collector of OpenTelemetry, as in http://127.0.0.1:4318 "
     "(default: as the OTEL_EXPORTER_OTLP_* variables say; without those, nothing)",
     SetOtlpEndpoint, ShowOtlpEndpoint},
    {"otlp_protocol", "PROTOCOL", "http/protobuf, or grpc (default: http/protobuf)",
     SetOtlpProtocol, ShowOtlpProtocol},
    {"trace_sampler", "SAMPLER",
     "which traces are recorded: always, never, ratio:R of them (0 to 1); behind \"parent:\" only "
     "where the caller has not decided (default: parent:always)",
     SetTraceSampler, ShowTraceSampler},
    {"log_level", "LEVEL,...",
     "least level that is logged: debug, info, warn, error; MODULE=LEVEL for one of server, rpc, "
     "cluster, gossip, security, log; SIGHUP reads it again",
     SetLogLevel, ShowLogLevel},
    {"log_format", "FORMAT", "auto (text on a terminal, otherwise json), json, text", SetLogFormat,
     ShowLogFormat},
    {"log_file", "FILE", "append the log to this file instead of stderr; SIGHUP opens it again",
     SetText<&C::log_file>, ShowText<&C::log_file>},
    {"shards", "N", "threads that own partitions; 0 means one per hardware thread",
     SetInteger<&C::shards, 0, kMaxShards>, ShowInteger<&C::shards>},
    {"tail_cache_bytes", "BYTES", "memory for the newest records of all partitions",
     SetInteger<&C::tail_cache_bytes, 0, kMaxBytes>, ShowInteger<&C::tail_cache_bytes>},
    {"max_inflight_bytes", "BYTES", "produce requests accepted and not answered, of all clients",
     SetInteger<&C::max_inflight_bytes, 1 << 20, kMaxBytes>, ShowInteger<&C::max_inflight_bytes>},
    {"retention_interval_ms", "MS", "time between two rounds of retention",
     SetInteger<&C::retention_interval_ms, 10, 86'400'000>, ShowInteger<&C::retention_interval_ms>},
    {"default_partitions", "N", "partitions of a topic created without a number",
     SetInteger<&C::default_partitions, 1, broker::kMaxPartitionsPerTopic>,
     ShowInteger<&C::default_partitions>},
    {"default_retention_bytes", "BYTES", "retention of a partition by size; -1 keeps all",
     SetTopic<&T::retention_bytes>, ShowTopic<&T::retention_bytes>},
    {"default_retention_ms", "MS", "retention by age; -1 keeps all", SetTopic<&T::retention_ms>,
     ShowTopic<&T::retention_ms>},
    {"default_segment_bytes", "BYTES", "size at which a segment is closed",
     SetTopic<&T::segment_bytes>, ShowTopic<&T::segment_bytes>},
    {"default_segment_ms", "MS", "age at which a segment is closed", SetTopic<&T::segment_ms>,
     ShowTopic<&T::segment_ms>},
    {"default_max_record_bytes", "BYTES", "largest record", SetTopic<&T::max_record_bytes>,
     ShowTopic<&T::max_record_bytes>},
    {"default_max_batch_bytes", "BYTES", "largest batch", SetTopic<&T::max_batch_bytes>,
     ShowTopic<&T::max_batch_bytes>},
});

}  // namespace

std::span<const ConfigKey> ConfigKeys() { return kKeys; }

const ConfigKey* FindConfigKey(std::string_view name) {
  std::string wanted(name);
  std::replace(wanted.begin(), wanted.end(), '-', '_');
  const auto* found = std::find_if(kKeys.begin(), kKeys.end(),
                                   [&](const ConfigKey& key) { return key.name == wanted; });
  return found == kKeys.end() ? nullptr : found;
}

}  // namespace cairn::server
