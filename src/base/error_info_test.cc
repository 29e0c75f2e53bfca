#include "base/error_info.h"

#include <gtest/gtest.h>

namespace cairn::base {
namespace {

TEST(ErrorInfoTest, SurvivesTheStatusItTravelsIn) {
  const absl::Status status =
      MakeError(absl::StatusCode::kOutOfRange, "offset 9 is beyond the end",
                reason::kOffsetOutOfRange, {{"log_start", "0"}, {"empty", ""}});
  const auto info = GetErrorInfo(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason, "OFFSET_OUT_OF_RANGE");
  EXPECT_EQ(info->metadata.at("log_start"), "0");
  EXPECT_EQ(info->metadata.at("empty"), "");
}

TEST(ErrorInfoTest, IsAbsentFromAPlainStatus) {
  EXPECT_FALSE(GetErrorInfo(absl::InternalError("x")).has_value());
  EXPECT_FALSE(GetErrorInfo(absl::OkStatus()).has_value());
}

}  // namespace
}  // namespace cairn::base
