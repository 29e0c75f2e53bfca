// Host names to IP addresses, by the system's resolver.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn::env {

// The addresses of `host`, each once, in the order of the resolver's preference; an IP address is
// its own. At least one. Blocking, for as long as the resolver is patient. Errors: UNAVAILABLE
// that names the host.
absl::StatusOr<std::vector<std::string>> ResolveHost(const std::string& host);

}  // namespace cairn::env
