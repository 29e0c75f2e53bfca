#include "base/bytes.h"

#include <gtest/gtest.h>

#include <limits>

namespace cairn::base {
namespace {

TEST(BytesTest, VarintsOfEveryWidthRoundTrip) {
  for (int shift = 0; shift < 64; ++shift) {
    for (int64_t delta : {-1, 0, 1}) {
      for (int64_t sign : {1, -1}) {
        const auto value =
            static_cast<int64_t>((uint64_t{1} << shift) + static_cast<uint64_t>(delta)) *
            (shift < 63 ? sign : 1);
        char buffer[kMaxVarintBytes];
        const char* end = EncodeVarint(buffer, value);
        EXPECT_EQ(end - buffer, VarintSize(value));
        int64_t decoded = 0;
        EXPECT_EQ(DecodeVarint(buffer, end, decoded), end);
        EXPECT_EQ(decoded, value);
      }
    }
  }
}

TEST(BytesTest, TruncatedVarintIsRefusedAtEveryLength) {
  char buffer[kMaxVarintBytes];
  const char* end = EncodeVarint(buffer, std::numeric_limits<int64_t>::min());
  for (const char* cut = buffer; cut < end; ++cut) {
    int64_t value;
    EXPECT_EQ(DecodeVarint(buffer, cut, value), nullptr);
  }
}

TEST(BytesTest, VarintBeyond64BitsIsRefused) {
  const std::string eleven(11, '\x80');
  int64_t value;
  EXPECT_EQ(DecodeVarint(eleven.data(), eleven.data() + eleven.size(), value), nullptr);
  const std::string overflow = std::string(9, '\xff') + '\x02';
  EXPECT_EQ(DecodeVarint(overflow.data(), overflow.data() + overflow.size(), value), nullptr);
}

}  // namespace
}  // namespace cairn::base
