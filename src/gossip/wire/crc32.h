// CRC-32 of IEEE 802.3 (reflected, as in gzip): the checksum of a memberlist packet.
#pragma once

#include <cstdint>
#include <string_view>

namespace cairn::gossip {

// Crc32("123456789") == 0xcbf43926. Any thread.
uint32_t Crc32(std::string_view data);

}  // namespace cairn::gossip
