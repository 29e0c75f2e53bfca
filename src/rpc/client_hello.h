// A look into a TLS ClientHello before anybody has taken the connection: is it all there, and which
// protocols does it offer by ALPN.
//
// Between the port multiplexer, which collects the bytes, and the TLS stack that gets all of them.
// Only the shape is checked, as far as it leads to ALPN; what the hello asks for is the TLS stack's
// business. Records: RFC 8446 section 5.1; the hello: RFC 8446 section 4.1.2 and RFC 5246 section
// 7.4.1.2; ALPN: RFC 7301 section 3.1.
//
// Thread-safe (pure).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::rpc {

struct ClientHello {
  enum class State {
    kIncomplete,
    kComplete,
    kMalformed,  // or larger than kMaxClientHelloBytes
  };

  State state = State::kIncomplete;
  // kIncomplete: with fewer bytes in all than this the answer stays the same, unless it turns out
  // malformed. More than were given; at most kMaxClientHelloBytes.
  size_t needed_bytes = 0;
  // kMalformed: what is wrong, for an operator. Valid for ever.
  std::string_view why;
  // kComplete: in the client's order; empty without ALPN.
  std::vector<std::string> protocols;

  bool Offers(std::string_view protocol) const;
};

// Looks at the first `received` bytes of a connection, whose first is 0x16 if it is TLS. The hello
// may be spread over several records; what follows it is not looked at. Time is linear in the
// bytes; memory is taken only for the protocols and to join a hello of several records.
//
// Looking again whenever needed_bytes have come costs about fifty looks at most, whatever the
// peer's records are like: each look but the last ones leaves a sixth less to wait for.
ClientHello PeekClientHello(std::string_view received);

}  // namespace cairn::rpc
