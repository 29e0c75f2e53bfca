#include "server/console/own_hosts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "base/strings.h"
#include "security/casbin/ip_address.h"

namespace cairn::server {
namespace {

constexpr size_t kShownBytes = 100;

std::string Lower(std::string_view text) { return absl::AsciiStrToLower(base::AbslView(text)); }

// Without the port, and an IPv6 address without its brackets.
std::string_view NameOf(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, std::max<size_t>(host.find(']'), 1) - 1);
  return host.substr(0, host.rfind(':'));
}

}  // namespace

OwnHosts::OwnHosts(const std::set<std::string>& names) {
  for (const std::string& name : names) {
    if (!name.empty()) names_.insert(Lower(name));
  }
  names_.insert("localhost");
}

absl::Status OwnHosts::Check(std::string_view host) const {
  const std::string name = Lower(NameOf(host));
  if (security::casbin::ParseIp(name) || names_.contains(name)) return absl::OkStatus();
  return absl::PermissionDeniedError(base::StrCat(
      "\"", absl::CHexEscape(base::AbslView(std::string_view(name).substr(0, kShownBytes))),
      "\" is no name of this node: open it by its IP address, localhost or the host of "
      "--advertise-addr"));
}

}  // namespace cairn::server
