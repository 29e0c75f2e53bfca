#include "rpc/first_bytes.h"

namespace cairn::rpc {

Protocol DetectProtocol(std::string_view first_bytes) {
  struct Opening {
    std::string_view bytes;
    Protocol protocol;
  };
  static constexpr Opening kOpenings[] = {
      {"PRI ", Protocol::kGrpc}, {"GET ", Protocol::kHttp}, {"HEAD", Protocol::kHttp},
      {"POST", Protocol::kHttp}, {"\x01", Protocol::kPeer}, {"\x16", Protocol::kTls},
  };
  for (const Opening& opening : kOpenings) {
    if (first_bytes.starts_with(opening.bytes)) return opening.protocol;
  }
  for (const Opening& opening : kOpenings) {
    if (opening.bytes.starts_with(first_bytes)) return Protocol::kUndecided;
  }
  return Protocol::kUnknown;
}

}  // namespace cairn::rpc
