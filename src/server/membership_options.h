// From the configuration of a server to what gossip needs: its keys, and the addresses under which
// other machines reach this one.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cluster/membership.h"
#include "env/file_system.h"
#include "server/logger.h"
#include "server/server_config.h"

namespace cairn::server {

// "localhost" when the machine has no name.
std::string HostName();

// "host:port" where clients of other machines reach a node that listens on `bound`: a wildcard
// address is none, so the machine's name stands for it.
std::string AdvertisedAddress(const ServerConfig& config, const std::string& bound);

// Reads the keyring and what was known of the other members; blocking. A snapshot that cannot be
// read is logged: it only saves asking others. Errors: INVALID_ARGUMENT for a key that is none or
// an address that is none; those of the keyring file; of resolving the advertised host.
absl::StatusOr<cluster::MembershipOptions> MembershipOptionsFor(
    const ServerConfig& config, const cluster::NodeDescription& description, env::FileSystem& fs,
    Logger& logger);

}  // namespace cairn::server
