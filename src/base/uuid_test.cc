#include "base/uuid.h"

#include <gtest/gtest.h>

namespace cairn::base {
namespace {

TEST(UuidTest, TextRoundTripsAndCarriesVersionFour) {
  const Uuid uuid = Uuid::FromRandom(0x0123456789abcdef, 0xfedcba9876543210);
  const std::string text = uuid.ToString();
  EXPECT_EQ(text.size(), 36u);
  EXPECT_EQ(text[14], '4');
  const auto parsed = Uuid::Parse(text);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, uuid);
}

TEST(UuidTest, RefusesWhatIsNotAUuid) {
  for (const char* text :
       {"", "0", "0123456789abcdef0123456789abcdef0123", "g1234567-89ab-cdef-0123-456789abcdef",
        "01234567x89ab-cdef-0123-456789abcdef"}) {
    EXPECT_FALSE(Uuid::Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace cairn::base
