#include "base/crc32c.h"

#include <cstring>

extern "C" {
#include <isa-l/crc.h>
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace cairn::base {
namespace {

#if defined(__x86_64__)
// Below this many bytes the dispatch and folding of ISA-L cost more than one lane of the crc32
// instruction.
constexpr size_t kShortRun = 256;

__attribute__((target("sse4.2"))) uint32_t ExtendShort(uint32_t crc, const char* data,
                                                       size_t size) {
  uint64_t state = ~crc;
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    state = _mm_crc32_u64(state, word);
  }
  auto narrow = static_cast<uint32_t>(state);
  for (; size > 0; ++data, --size) {
    narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*data));
  }
  return ~narrow;
}

const bool kHasSse42 = __builtin_cpu_supports("sse4.2");
#endif

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, std::string_view data) {
#if defined(__x86_64__)
  if (data.size() < kShortRun && kHasSse42) return ExtendShort(crc, data.data(), data.size());
#endif
  // ISA-L takes the length as int and does not write to the buffer, though its prototype allows it.
  while (!data.empty()) {
    const size_t size = data.size() < (1u << 30) ? data.size() : (1u << 30);
    auto* bytes = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(data.data()));
    crc = ~crc32_iscsi(bytes, static_cast<int>(size), ~crc);
    data.remove_prefix(size);
  }
  return crc;
}

uint32_t Crc32c(std::string_view data) { return ExtendCrc32c(0, data); }

}  // namespace cairn::base
