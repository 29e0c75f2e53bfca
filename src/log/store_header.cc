#include "log/store_header.h"

#include <array>
#include <cstring>

#include "absl/strings/str_format.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/strings.h"

namespace cairn::log {
namespace {

using base::LoadLittleEndian;
using base::StoreLittleEndian;

constexpr std::string_view kStoreMagic = "cairnlog";
constexpr size_t kCopyBytes = 80;
constexpr size_t kSecondCopyAt = 512;
constexpr size_t kCrcAt = kCopyBytes - 4;

absl::StatusOr<StoreHeader> DecodeCopy(std::string_view copy) {
  const char* from = copy.data();
  if (copy.substr(0, kStoreMagic.size()) != kStoreMagic) {
    return absl::DataLossError("not a store file: the magic \"cairnlog\" is missing");
  }
  const uint32_t found = base::Crc32c(copy.substr(0, kCrcAt));
  const auto expected = LoadLittleEndian<uint32_t>(from + kCrcAt);
  if (found != expected) {
    return absl::DataLossError(
        absl::StrFormat("store header CRC32C: expected %08x, found %08x", expected, found));
  }
  if (const auto version = LoadLittleEndian<uint16_t>(from + 8); version != kStoreFormatVersion) {
    return absl::UnimplementedError(base::StrCat("store format version ", version,
                                                 "; this program knows version ",
                                                 kStoreFormatVersion, ". Use a newer cairn"));
  }
  StoreHeader header;
  header.generation = LoadLittleEndian<uint32_t>(from + 12);
  std::array<uint8_t, 16> id;
  std::memcpy(id.data(), from + 16, id.size());
  header.topic_id = base::Uuid(id);
  header.partition = PartitionId(LoadLittleEndian<int32_t>(from + 32));
  header.base_offset = Offset(LoadLittleEndian<uint64_t>(from + 36));
  header.base_index = Index(LoadLittleEndian<uint64_t>(from + 44));
  header.created_ms = LoadLittleEndian<int64_t>(from + 52);
  header.base_term = Term(LoadLittleEndian<int32_t>(from + 60));
  return header;
}

}  // namespace

HeaderSeed StoreHeader::SeedAt(uint64_t position) const {
  char place[16 + 4 + 4 + 8 + 8];
  std::memcpy(place, topic_id.bytes().data(), 16);
  StoreLittleEndian<int32_t>(place + 16, partition.value());
  StoreLittleEndian<uint32_t>(place + 20, generation);
  StoreLittleEndian<uint64_t>(place + 24, base_offset.value());
  StoreLittleEndian<uint64_t>(place + 32, position);
  return base::Crc32c(std::string_view(place, sizeof(place)));
}

std::string EncodeStoreHeader(const StoreHeader& header) {
  std::string block(kStoreHeaderBytes, '\0');
  char* to = block.data();
  std::memcpy(to, kStoreMagic.data(), kStoreMagic.size());
  StoreLittleEndian<uint16_t>(to + 8, kStoreFormatVersion);
  StoreLittleEndian<uint32_t>(to + 12, header.generation);
  std::memcpy(to + 16, header.topic_id.bytes().data(), 16);
  StoreLittleEndian<int32_t>(to + 32, header.partition.value());
  StoreLittleEndian<uint64_t>(to + 36, header.base_offset.value());
  StoreLittleEndian<uint64_t>(to + 44, header.base_index.value());
  StoreLittleEndian<int64_t>(to + 52, header.created_ms);
  StoreLittleEndian<int32_t>(to + 60, header.base_term.value());
  StoreLittleEndian<uint32_t>(to + kCrcAt, base::Crc32c(std::string_view(to, kCrcAt)));
  std::memcpy(to + kSecondCopyAt, to, kCopyBytes);
  return block;
}

absl::StatusOr<StoreHeader> DecodeStoreHeader(std::string_view block) {
  if (block.size() < kStoreHeaderBytes) {
    return absl::DataLossError(base::StrCat("store header is cut short: ", block.size(), " of ",
                                            kStoreHeaderBytes, " bytes"));
  }
  auto first = DecodeCopy(block.substr(0, kCopyBytes));
  if (first.ok()) return first;
  auto second = DecodeCopy(block.substr(kSecondCopyAt, kCopyBytes));
  if (second.ok() || absl::IsUnimplemented(second.status())) return second;
  return first;
}

}  // namespace cairn::log
