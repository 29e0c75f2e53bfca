// Which protocol a connection to the RPC port speaks, told from its first bytes.
#pragma once

#include <string_view>

namespace cairn::rpc {

enum class Protocol {
  kUndecided,  // the bytes are a proper prefix of something known: read on
  kGrpc,       // "PRI ", the start of the HTTP/2 preface (RFC 9113 section 3.4)
  kHttp,       // "GET ", "HEAD", "POST"
  kPeer,       // 0x01: another node's Raft connection
  kTls,        // 0x16: a TLS handshake record; its ClientHello says more (client_hello.h)
  kUnknown,    // anything else
};

// Looks at the first up to four bytes. Undecided only for less than four.
Protocol DetectProtocol(std::string_view first_bytes);

}  // namespace cairn::rpc
