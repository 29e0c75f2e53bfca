#include "base/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace cairn::base {
namespace {

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContextTest, ReadsWhatTheSpecificationShows) {
  const auto context = ParseTraceparent(kParent);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->TraceIdText(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->SpanIdText(), "00f067aa0ba902b7");
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(FormatTraceparent(*context), kParent);
}

TEST(TraceContextTest, AnotherVersionIsReadByItsFirstFields) {
  const std::string later = std::string("cc") + (kParent + 2);
  EXPECT_TRUE(ParseTraceparent(later).has_value());
  EXPECT_TRUE(ParseTraceparent(later + "-what-will-be").has_value());
  EXPECT_FALSE(ParseTraceparent(later + ".what-will-be").has_value());
  EXPECT_FALSE(ParseTraceparent(std::string("ff") + (kParent + 2)).has_value());
}

TEST(TraceContextTest, GarbageIsNoTraceparent) {
  EXPECT_FALSE(ParseTraceparent("").has_value());
  EXPECT_FALSE(ParseTraceparent(std::string(kParent) + "-00").has_value());
  EXPECT_FALSE(ParseTraceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
  EXPECT_FALSE(ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"));
  for (size_t i = 0; i < sizeof(kParent) - 1; ++i) {
    std::string broken = kParent;
    broken[i] = 'G';
    EXPECT_FALSE(ParseTraceparent(broken).has_value()) << broken;
    EXPECT_FALSE(ParseTraceparent(std::string(kParent, i)).has_value()) << i;
  }
}

TEST(TraceContextTest, BytesComeBackAsTheyWere) {
  const TraceContext context = *ParseTraceparent(kParent);
  std::string bytes(kTraceContextBytes, '\0');
  EncodeTraceContext(context, bytes.data());
  EXPECT_EQ(DecodeTraceContext(bytes), context);
  EXPECT_FALSE(DecodeTraceContext(std::string(kTraceContextBytes, '\0')).has_value());
}

}  // namespace
}  // namespace cairn::base
