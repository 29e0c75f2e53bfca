#include "log/entry.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/crc32c.h"
#include "log/records.h"
#include "log/store_header.h"

namespace cairn::log {
namespace {

Entry SampleEntry() {
  BatchBuilder builder;
  builder.Add("key", "value", 1'700'000'000'000);
  Batch batch = builder.Take();
  batch.producer_id = 42;
  batch.producer_epoch = 3;
  batch.base_sequence = 17;
  return MakeBatchEntry(std::move(batch), Index(9), Term(2), Offset(1000));
}

TEST(EntryTest, HeaderRoundTrips) {
  const Entry entry = SampleEntry();
  char bytes[kEntryHeaderBytes];
  EncodeEntryHeader(entry.header, 7, bytes);
  const auto decoded = DecodeEntryHeader({bytes, sizeof(bytes)}, 7);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, entry.header);
}

TEST(EntryTest, EveryFlippedBitOfTheHeaderIsFound) {
  char bytes[kEntryHeaderBytes];
  EncodeEntryHeader(SampleEntry().header, 7, bytes);
  for (size_t bit = 0; bit < sizeof(bytes) * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_EQ(DecodeEntryHeader({bytes, sizeof(bytes)}, 7).status().code(),
              absl::StatusCode::kDataLoss)
        << "bit " << bit;
    bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
  }
}

TEST(EntryTest, AHeaderIsValidOnlyAtItsOwnPlace) {
  StoreHeader store;
  store.topic_id = base::Uuid::FromRandom(1, 2);
  store.base_offset = Offset(1000);
  char bytes[kEntryHeaderBytes];
  EncodeEntryHeader(SampleEntry().header, store.SeedAt(4096), bytes);
  const std::string_view view(bytes, sizeof(bytes));
  EXPECT_TRUE(DecodeEntryHeader(view, store.SeedAt(4096)).ok());
  EXPECT_FALSE(DecodeEntryHeader(view, store.SeedAt(4097)).ok());
  StoreHeader other = store;
  other.generation = 5;
  EXPECT_FALSE(DecodeEntryHeader(view, other.SeedAt(4096)).ok());
}

TEST(StoreHeaderTest, EitherCopyIsEnough) {
  StoreHeader header;
  header.topic_id = base::Uuid::FromRandom(3, 4);
  header.partition = PartitionId(5);
  header.generation = 6;
  header.base_offset = Offset(7);
  header.base_index = Index(8);
  header.base_term = Term(9);
  header.created_ms = 10;
  const std::string block = EncodeStoreHeader(header);
  ASSERT_EQ(block.size(), kStoreHeaderBytes);
  for (size_t bit = 0; bit < block.size() * 8; ++bit) {
    std::string flipped = block;
    flipped[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    const auto decoded = DecodeStoreHeader(flipped);
    ASSERT_TRUE(decoded.ok()) << "bit " << bit << ": " << decoded.status();
    EXPECT_EQ(*decoded, header);
  }
  std::string both = block;
  both[20] ^= 1;
  both[532] ^= 1;
  EXPECT_EQ(DecodeStoreHeader(both).status().code(), absl::StatusCode::kDataLoss);
}

TEST(StoreHeaderTest, AnUnknownFormatVersionIsNamed) {
  StoreHeader header;
  std::string block = EncodeStoreHeader(header);
  // A newer program's header: version 2 under a CRC that fits.
  for (const size_t at : {size_t{0}, size_t{512}}) {
    block[at + 8] = 2;
    const uint32_t crc = base::Crc32c(std::string_view(block).substr(at, 76));
    std::memcpy(block.data() + at + 76, &crc, 4);
  }
  const auto decoded = DecodeStoreHeader(block);
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(decoded.status().ToString().find("version 2"), std::string::npos);
}

}  // namespace
}  // namespace cairn::log
