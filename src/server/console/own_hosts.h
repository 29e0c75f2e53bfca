// OwnHosts: whether a browser means this node.
//
// A page of anybody may name a host that resolves to 127.0.0.1, and the browser of who looks at it
// then takes this node for a part of that page ("DNS rebinding"). With TLS the certificate does not
// fit; without, what gives it away is the name in the header Host.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace cairn::server {

// A value.
class OwnHosts {
 public:
  // `names`: what the node is called beside IP addresses and "localhost".
  explicit OwnHosts(const std::set<std::string>& names);

  // `host` is a header Host: "NAME", "NAME:PORT". Errors: PERMISSION_DENIED, with what to open.
  absl::Status Check(std::string_view host) const;

 private:
  std::set<std::string, std::less<>> names_;  // in lower case
};

}  // namespace cairn::server
