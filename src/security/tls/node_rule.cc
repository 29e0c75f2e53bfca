#include "security/tls/node_rule.h"

#include <algorithm>
#include <string_view>

#include "base/strings.h"

namespace cairn::security {
namespace {

// '*' for one label or a part of it: "node-*.example" has "node-7.example", not "node-7.a.example".
bool Matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() != '*') {
    return !name.empty() && pattern.front() == name.front() &&
           Matches(pattern.substr(1), name.substr(1));
  }
  const std::string_view rest = pattern.substr(1);
  for (size_t taken = 0;; ++taken) {
    if (Matches(rest, name.substr(taken))) return true;
    if (taken == name.size() || name[taken] == '.') return false;
  }
}

bool IsNamed(const PeerCertificate& certificate, const NodeRule& rule) {
  const auto matches = [&](std::string_view name) {
    return std::any_of(rule.names.begin(), rule.names.end(),
                       [&](const std::string& pattern) { return Matches(pattern, name); });
  };
  return matches(certificate.common_name) ||
         std::any_of(certificate.dns_names.begin(), certificate.dns_names.end(), matches);
}

}  // namespace

absl::Status CheckNodeCertificate(const PeerCertificate& certificate, const NodeRule& rule) {
  const std::string who = base::StrCat("the certificate of \"", certificate.common_name, "\" ");
  if (!rule.names.empty() && !IsNamed(certificate, rule)) {
    return absl::UnauthenticatedError(who + "is not a node's: no name of it is among --peer-names");
  }
  if (!certificate.has_usage && rule.names.empty()) {
    return absl::UnauthenticatedError(
        who +
        "is not a node's: it has no extended key usage; give it serverAuth and clientAuth, or name "
        "it with --peer-names");
  }
  if (!certificate.may_be_server || !certificate.may_be_client) {
    return absl::UnauthenticatedError(
        base::StrCat(who, "is not a node's: its extended key usage lacks ",
                     certificate.may_be_server ? "clientAuth" : "serverAuth"));
  }
  return absl::OkStatus();
}

}  // namespace cairn::security
