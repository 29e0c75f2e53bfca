// CRC32C (Castagnoli, RFC 3720 section B.4), by ISA-L for long runs and the SSE4.2 instruction for
// short ones.
#pragma once

#include <cstdint>
#include <string_view>

namespace cairn::base {

// Checksum of `data`; Crc32c("123456789") == 0xe3069283. Any thread.
uint32_t Crc32c(std::string_view data);

// Checksum of A followed by `data`, where `crc` is the checksum of A.
uint32_t ExtendCrc32c(uint32_t crc, std::string_view data);

}  // namespace cairn::base
