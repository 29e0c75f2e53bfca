#include "server/logger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace cairn::server {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(LoggerTest, WritesOneJsonObjectPerLineWhateverTheFieldsHold) {
  std::ostringstream stream;
  const auto logger = Logger::ToStream(stream, LogLevel::kInfo, LogFormat::kJson);
  logger->Log(LogLevel::kWarn, "say \"hi\"\n",
              {{"text", std::string("a\nb\"\xff")}, {"n", int64_t{-3}}, {"x", 0.5}, {"yes", true}});
  const std::string line = stream.str();
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["level"], "warn");
  EXPECT_EQ(json["msg"], "say \"hi\"\n");
  EXPECT_EQ(json["text"], "a\nb\"\xEF\xBF\xBD");
  EXPECT_EQ(json["n"], -3);
  EXPECT_EQ(json["x"], 0.5);
  EXPECT_EQ(json["yes"], true);
  EXPECT_EQ(json["ts"].get<std::string>().size(),
            std::string("2026-01-02T03:04:05.678901Z").size());
}

TEST(LoggerTest, TextEscapesControlCharacters) {
  std::ostringstream stream;
  const auto logger = Logger::ToStream(stream, LogLevel::kInfo, LogFormat::kText);
  logger->Log(LogLevel::kInfo, "up\x1b[31m", {{"peer", std::string("a b\n")}, {"n", int64_t{1}}});
  EXPECT_THAT(stream.str(), HasSubstr("info  up\\x1b[31m  peer=\"a b\\n\"  n=1\n"));
  EXPECT_THAT(stream.str(), Not(HasSubstr("\x1b")));
}

TEST(LoggerTest, LeavesOutWhatIsBelowTheLevel) {
  std::ostringstream stream;
  const auto logger = Logger::ToStream(stream, LogLevel::kWarn, LogFormat::kJson);
  logger->Log(LogLevel::kInfo, "quiet");
  EXPECT_EQ(stream.str(), "");
  EXPECT_FALSE(logger->Enabled(LogLevel::kDebug));
  EXPECT_TRUE(logger->Enabled(LogLevel::kError));
}

}  // namespace
}  // namespace cairn::server
