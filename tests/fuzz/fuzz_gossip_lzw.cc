// LZW: any bytes expand or are refused, within the limit; what is compressed expands to the same.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "gossip/wire/lzw.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn::gossip;
  constexpr size_t kLimitBytes = 1 << 20;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto expanded = LzwExpand(bytes, kLimitBytes);
  CAIRN_CHECK(!expanded.ok() || expanded->size() <= kLimitBytes, "the limit holds");
  const auto again = LzwExpand(LzwCompress(bytes), size);
  CAIRN_CHECK(again.ok() && *again == bytes, "compressing loses nothing");
  return 0;
}
