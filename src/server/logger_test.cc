#include "server/logger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/check_hook.h"
#include "env/temporary_directory.h"

namespace cairn::server {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr LogModule kServer = LogModule::kServer;

std::vector<nlohmann::json> Parse(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TEST(LoggerTest, WritesOneJsonObjectPerLineWhateverTheFieldsHold) {
  std::ostringstream stream;
  const auto logger = Logger::ToStream(stream, LogLevel::kInfo, LogFormat::kJson);
  logger->Log(LogModule::kRpc, LogLevel::kWarn, "say \"hi\"\n",
              {{"text", std::string("a\nb\"\xff")}, {"n", int64_t{-3}}, {"x", 0.5}, {"yes", true}});
  const std::string line = stream.str();
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["level"], "warn");
  EXPECT_EQ(json["module"], "rpc");
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
  logger->Log(kServer, LogLevel::kInfo, "up\x1b[31m",
              {{"peer", std::string("a b\n")}, {"n", int64_t{1}}});
  EXPECT_THAT(stream.str(), HasSubstr(" info  server   up\\x1b[31m  peer=\"a b\\n\"  n=1\n"));
  EXPECT_THAT(stream.str(), Not(HasSubstr("\x1b")));
}

RC_GTEST_PROP(LoggerPropertyTest, EveryLineIsOneObjectOfJson,
              (const std::string& message, const std::string& name, const std::string& value,
               int64_t number, double real)) {
  std::ostringstream stream;
  const auto logger = Logger::ToStream(stream, LogLevel::kInfo, LogFormat::kJson);
  logger->Log(kServer, LogLevel::kInfo, message,
              {{"value", value}, {"number", number}, {"real", real}, {"f." + name, value}});
  const std::string line = stream.str();
  RC_ASSERT(line.find('\n') == line.size() - 1);
  const auto json = nlohmann::json::parse(line, nullptr, false);
  RC_ASSERT(json.is_object());
  RC_ASSERT(json.contains("ts") && json.contains("msg") && json.contains("value"));
  RC_ASSERT(json["number"] == number);
}

// What rapidcheck's strings are not: long, and of any bytes alike.
RC_GTEST_PROP(LoggerPropertyTest, AnyBytesStayInTheirLine, (const std::vector<uint8_t>& bytes)) {
  std::string value(bytes.begin(), bytes.end());
  for (int i = 0; i < 6; ++i) value += value;
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    std::ostringstream stream;
    const auto logger = Logger::ToStream(stream, LogLevel::kInfo, format);
    logger->Log(kServer, LogLevel::kInfo, value, {{"value", value}});
    const std::string line = stream.str();
    RC_ASSERT(line.find('\n') == line.size() - 1);
    RC_ASSERT(line.find('\x1b') == std::string::npos);
    RC_ASSERT(line.size() < 20 * kMaxLogTextBytes);
    RC_ASSERT(format == LogFormat::kText || nlohmann::json::accept(line));
  }
}

TEST(LoggerTest, LeavesOutWhatIsBelowTheLevelOfTheModule) {
  std::ostringstream stream;
  const auto logger =
      Logger::ToStream(stream, *LogLevels::Parse("warn,rpc=debug"), LogFormat::kJson);
  logger->Log(kServer, LogLevel::kInfo, "quiet");
  EXPECT_EQ(stream.str(), "");
  EXPECT_FALSE(logger->Enabled(kServer, LogLevel::kInfo));
  EXPECT_TRUE(logger->Enabled(kServer, LogLevel::kError));
  EXPECT_TRUE(logger->Enabled(LogModule::kRpc, LogLevel::kDebug));
  logger->SetLevels(*LogLevels::Parse("rpc=error"));
  EXPECT_TRUE(logger->Enabled(kServer, LogLevel::kInfo));
  EXPECT_FALSE(logger->Enabled(LogModule::kRpc, LogLevel::kWarn));
}

TEST(LogLevelsTest, ReadsWhatItShows) {
  for (const char* text :
       {"info", "debug", "warn,rpc=debug", "error,rpc=info,gossip=warn,log=debug"}) {
    const auto levels = LogLevels::Parse(text);
    ASSERT_TRUE(levels.ok()) << levels.status();
    EXPECT_EQ(levels->Text(), text);
  }
  EXPECT_EQ(LogLevels::Parse(" gossip=warn , error ")->Text(), "error,gossip=warn");
  EXPECT_EQ(*LogLevels::Parse("warn"), LogLevels(LogLevel::kWarn));
}

TEST(LogLevelsTest, NamesWhatThereIsForWhatThereIsNot) {
  const auto refused = [](const char* text) {
    return std::string(LogLevels::Parse(text).status().message());
  };
  EXPECT_EQ(refused("loud"), "\"loud\" is not a level: debug, info, warn or error");
  EXPECT_EQ(refused("info,rcp=debug"),
            "\"rcp\" is not a module: server, rpc, cluster, gossip, security or log");
  EXPECT_EQ(refused("rpc="), "\"\" is not a level: debug, info, warn or error");
  EXPECT_THAT(refused("info,warn"), HasSubstr("\"warn\" is a second level"));
  EXPECT_THAT(refused(""), HasSubstr("is not a level"));
}

// A pipe as stderr is one.
class LoggerPipeTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe(ends_), 0); }
  void TearDown() override {
    for (const int end : ends_) close(end);
  }
  std::string ReadSome() {
    std::string bytes(1 << 16, '\0');
    const ssize_t count = read(ends_[0], bytes.data(), bytes.size());
    bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return bytes;
  }

  int ends_[2] = {-1, -1};
};

TEST_F(LoggerPipeTest, WhatNobodyReadsIsDroppedAndCountedAndBlocksNobody) {
  constexpr uint64_t kLines = 5000;
  auto logger = Logger::ToDescriptor(ends_[1], {.format = LogFormat::kJson, .max_queued = 1000});
  for (uint64_t i = 0; i < kLines; ++i) {
    logger->Log(kServer, LogLevel::kInfo, "line", {{"padding", std::string(100, 'x')}});
  }
  EXPECT_GT(logger->counters().dropped, 0u);

  // Somebody reads again.
  uint64_t seen = 0;
  uint64_t told = 0;
  std::string rest;
  while (seen + told < kLines) {
    rest += ReadSome();
    const size_t end = rest.rfind('\n') + 1;
    for (const auto& line : Parse(rest.substr(0, end))) {
      if (line["msg"] == "log lines dropped") {
        told += line["dropped"].get<uint64_t>();
      } else {
        ++seen;
      }
    }
    rest.erase(0, end);
  }
  EXPECT_EQ(seen + told, kLines);
  logger->Flush();
  EXPECT_EQ(logger->counters().written, seen);
  EXPECT_EQ(logger->counters().dropped, told);
}

TEST_F(LoggerPipeTest, EndsAlsoWhenNobodyReads) {
  auto logger = Logger::ToDescriptor(ends_[1], {.format = LogFormat::kJson, .max_queued = 1000});
  for (int i = 0; i < 1000; ++i) {
    logger->Log(kServer, LogLevel::kInfo, "line", {{"padding", std::string(1000, 'x')}});
  }
  logger.reset();
}

TEST_F(LoggerPipeTest, FlushAndEndWriteWhatIsQueued) {
  auto logger = Logger::ToDescriptor(ends_[1], {.format = LogFormat::kJson});
  logger->Log(kServer, LogLevel::kInfo, "one");
  logger->Flush();
  EXPECT_THAT(ReadSome(), HasSubstr("\"one\""));
  logger->Log(kServer, LogLevel::kInfo, "two");
  logger.reset();
  EXPECT_THAT(ReadSome(), HasSubstr("\"two\""));
}

TEST(LoggerDeathTest, ACheckThatFailsLeavesWhatWasLoggedBefore) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        static Logger* flushed = nullptr;
        const auto logger = Logger::ToDescriptor(STDERR_FILENO, {.format = LogFormat::kJson});
        flushed = logger.get();
        base::SetCheckFailedHook([] { flushed->Flush(); });
        logger->Log(kServer, LogLevel::kError, "the reason");
        CAIRN_CHECK(false, "the end");
      },
      "\"the reason\"");
}

TEST(LoggerFileTest, AppendsAndOpensAgainAfterARotation) {
  const env::TemporaryDirectory directory;
  const std::string path = directory.Join("log");
  std::ofstream(path) << "old\n";
  {
    auto logger = Logger::Open({.format = LogFormat::kJson, .file = path});
    ASSERT_TRUE(logger.ok()) << logger.status();
    (*logger)->Log(kServer, LogLevel::kInfo, "one");
    (*logger)->Flush();
    std::filesystem::rename(path, path + ".1");
    (*logger)->Reopen();
    (*logger)->Log(kServer, LogLevel::kInfo, "two");
  }
  EXPECT_THAT(ReadFile(path + ".1"), testing::AllOf(testing::StartsWith("old\n{"),
                                                    HasSubstr("\"one\""), Not(HasSubstr("two"))));
  EXPECT_THAT(ReadFile(path), HasSubstr("\"two\""));
  EXPECT_EQ(Parse(ReadFile(path)).size(), 1u);
  EXPECT_FALSE(Logger::Open({.file = directory.Join("no/such")}).ok());
}

}  // namespace
}  // namespace cairn::server
