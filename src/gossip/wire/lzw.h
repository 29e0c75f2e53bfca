// LZW as GIF and Go's compress/lzw speak it: codes least significant bit first, literals of 8 bits,
// so codes of 9 to 12 bits, with 256 for "clear the table" and 257 for "end".
//
// Welch, "A Technique for High-Performance Data Compression", Computer 17(6), 1984; the table's
// ways are those of GIF89a, appendix F. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cairn::gossip {

// Never fails; what cannot be compressed grows by up to 9/8 and 4 bytes.
std::string LzwCompress(std::string_view bytes);

// What `bytes` stand for. Bytes behind the end code are ignored. Errors: INVALID_ARGUMENT for a
// code that is not in the table yet and for a missing end code; RESOURCE_EXHAUSTED, with nothing
// allocated beyond it, when the result is longer than `limit_bytes`. Time and memory are linear in
// the input and `limit_bytes`.
absl::StatusOr<std::string> LzwExpand(std::string_view bytes, size_t limit_bytes);

}  // namespace cairn::gossip
