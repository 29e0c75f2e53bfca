// A look into the start of a TLS connection, before anybody speaks TLS: which protocols does the
// client offer (ALPN, RFC 7301)?
//
// Reads the ClientHello (RFC 8446 section 4.1.2, the same in TLS 1.2) out of its records (section
// 5.1), over which it may be spread. Nothing is kept, nothing trusted: every length is checked
// against what is there. Thread-safe, as it has no state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn::rpc {

// The first byte of every TLS connection: a record of the handshake.
inline constexpr char kTlsFirstByte = 0x16;
// A hello with its records. Browsers send 2 KiB, with keys against quantum computers.
inline constexpr size_t kMaxClientHelloBytes = 16 << 10;

struct ClientHello {
  bool complete = false;  // false: read on
  // What the client offers, in its order.
  std::vector<std::string> protocols;

  bool Offers(std::string_view protocol) const;
};

// `received` is the start of a connection whose first byte is kTlsFirstByte. Errors:
// INVALID_ARGUMENT when it is no ClientHello, or longer than kMaxClientHelloBytes.
absl::StatusOr<ClientHello> PeekClientHello(std::string_view received);

}  // namespace cairn::rpc
