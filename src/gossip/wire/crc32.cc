#include "gossip/wire/crc32.h"

extern "C" {
#include <isa-l/crc.h>
}

namespace cairn::gossip {

uint32_t Crc32(std::string_view data) {
  return crc32_gzip_refl(0, reinterpret_cast<const unsigned char*>(data.data()), data.size());
}

}  // namespace cairn::gossip
