#include "server/membership_options.h"

#include <unistd.h>

#include <string_view>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/gossip_files.h"
#include "env/files.h"
#include "env/host_port.h"
#include "env/resolve.h"
#include "gossip/wire/keyring.h"

namespace cairn::server {
namespace {

bool IsWildcard(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

// The keyring file, once it is there, counts more than --encrypt, which does not change with the
// cluster's keys.
absl::Status ReadKeys(const ServerConfig& config, env::FileSystem& fs, Logger& logger,
                      cluster::MembershipOptions& options) {
  options.keyring_file = config.keyring_file.empty()
                             ? env::JoinPath(config.data_dir, "gossip-keyring.json")
                             : config.keyring_file;
  CAIRN_ASSIGN_OR_RETURN(auto stored, cluster::ReadKeyring(fs, options.keyring_file));
  std::string given;
  if (!config.encrypt.empty()) {
    CAIRN_ASSIGN_OR_RETURN(given, gossip::ParseKey(config.encrypt));
  }
  if (stored) {
    options.keys = *std::move(stored);
    options.keys_on_disk = true;
    if (!given.empty() && given != options.keys.front()) {
      logger.Log(LogModule::kGossip, LogLevel::kWarn,
                 "--encrypt ignored: the keyring file has another primary key",
                 {{"keyring_file", options.keyring_file}});
    }
  } else if (!given.empty()) {
    options.keys = {std::move(given)};
  }
  return absl::OkStatus();
}

// What gossip tells others to send to: the host of --advertise-addr, or of a wildcard address what
// the host name means. "": the address it is bound to.
absl::StatusOr<std::string> AdvertisedIp(const ServerConfig& config,
                                         const std::string& advertised) {
  CAIRN_ASSIGN_OR_RETURN(const env::HostPort bind, env::ParseHostPort(config.bind_addr));
  if (config.advertise_addr.empty() && !IsWildcard(bind.host)) return std::string();
  CAIRN_ASSIGN_OR_RETURN(const env::HostPort own, env::ParseHostPort(advertised));
  const auto found = env::ResolveHost(own.host);
  if (!found.ok()) {
    return absl::Status(found.status().code(),
                        base::StrCat(base::StdView(found.status().message()),
                                     "; give the address of this node with --advertise-addr"));
  }
  // Of the family it is bound to, where there is one.
  for (const std::string& address : *found) {
    const bool six = address.find(':') != std::string::npos;
    if (six == (bind.host.find(':') != std::string::npos)) return address;
  }
  return found->front();
}

}  // namespace

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

std::string AdvertisedAddress(const ServerConfig& config, const std::string& bound) {
  if (!config.advertise_addr.empty()) return config.advertise_addr;
  const auto address = env::ParseHostPort(bound);
  if (!address.ok() || !IsWildcard(address->host)) return bound;
  return env::FormatHostPort(HostName(), address->port);
}

absl::StatusOr<cluster::MembershipOptions> MembershipOptionsFor(
    const ServerConfig& config, const cluster::NodeDescription& description, env::FileSystem& fs,
    Logger& logger) {
  cluster::MembershipOptions options;
  options.bind_address = config.bind_addr;
  options.description = description;
  options.join_addresses = config.start_join_addrs;
  options.snapshot_file = env::JoinPath(config.data_dir, "gossip-snapshot");
  CAIRN_ASSIGN_OR_RETURN(options.advertised_ip, AdvertisedIp(config, description.rpc_address));
  CAIRN_RETURN_IF_ERROR(ReadKeys(config, fs, logger, options));
  auto snapshot = cluster::ReadGossipSnapshot(fs, options.snapshot_file);
  if (!snapshot.ok()) {
    logger.Log(LogModule::kGossip, LogLevel::kWarn, "gossip snapshot ignored",
               {{"error", std::string(base::StdView(snapshot.status().message()))}});
  } else if (snapshot->has_value()) {
    options.restored = **std::move(snapshot);
  }
  return options;
}

}  // namespace cairn::server
