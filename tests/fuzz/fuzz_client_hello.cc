// The start of a TLS connection, which anybody may send: never a crash, and what is complete stays
// so with more bytes behind it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "rpc/client_hello.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto hello = cairn::rpc::PeekClientHello(bytes);
  if (!hello.ok() || !hello->complete) return 0;
  const auto longer = cairn::rpc::PeekClientHello(bytes + "more");
  if (!longer.ok() || longer->protocols != hello->protocols) std::abort();
  return 0;
}
