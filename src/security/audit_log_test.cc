#include "security/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <latch>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "env/event_loop.h"
#include "env/files.h"
#include "env/posix.h"
#include "env/sim_executor.h"
#include "env/sim_testing.h"
#include "env/temporary_directory.h"

namespace cairn::security {
namespace {

using env::SimFault;
using env::SimOp;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kNowMs = 1'780'000'000'123;  // 2026-05-28T20:26:40.123Z

AuditRecord Denial(std::string object, int64_t time_ms = kNowMs) {
  return {.time_ms = time_ms,
          .subject = "alice",
          .address = "10.0.0.7:40112",
          .action = "produce",
          .object = std::move(object),
          .allowed = false,
          .rule = "denied: no rule allows it"};
}

// Every line as "object", "-N" for N dropped, or "torn" for what is no JSON.
std::vector<std::string> Lines(const std::string& content) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < content.size();) {
    const size_t end = content.find('\n', at);
    const std::string line = content.substr(at, end - at);
    const auto json = nlohmann::json::parse(line, nullptr, false);
    lines.push_back(!json.is_object()          ? "torn"
                    : json.contains("dropped") ? "-" + json["dropped"].dump()
                                               : json["object"].get<std::string>());
    at = end == std::string::npos ? content.size() : end + 1;
  }
  return lines;
}

class AuditLogTest : public testing::Test {
 protected:
  void Open(AuditLogOptions options = {}) {
    options.path = "audit.log";
    auto log = AuditLog::Open(fs_, executor_, options,
                              [this](const absl::Status& error) { errors_.push_back(error); });
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }
  std::string Text() { return env::Content(fs_, "audit.log").value_or("(no file)"); }
  void Second() { executor_.RunFor(1'000'000'000); }

  env::SimFileSystem fs_{1};
  env::SimClock clock_;
  env::SimExecutor executor_{clock_};
  std::vector<absl::Status> errors_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditLogTest, ADecisionIsALineOfJson) {
  Open({.which = AuditedDecisions::kAll});
  log_->Record(Denial("orders"));
  AuditRecord allowed = Denial("bills", kNowMs + 1000);
  allowed.allowed = true;
  allowed.rule = "allowed by policy.csv:3: p, alice, bills, produce";
  log_->Record(allowed);
  EXPECT_EQ(Text(), "");  // nothing is written before the executor's turn
  executor_.RunUntilIdle();
  EXPECT_EQ(Text(),
            R"({"time":"2026-05-28T20:26:40.123Z","subject":"alice","address":"10.0.0.7:40112",)"
            R"("action":"produce","object":"orders","allowed":false,)"
            R"("rule":"denied: no rule allows it"})"
            "\n"
            R"({"time":"2026-05-28T20:26:41.123Z","subject":"alice","address":"10.0.0.7:40112",)"
            R"("action":"produce","object":"bills","allowed":true,)"
            R"("rule":"allowed by policy.csv:3: p, alice, bills, produce"})"
            "\n");
  EXPECT_EQ(log_->counters().written, 2u);
}

TEST_F(AuditLogTest, PermissionsAreLeftOutWhenOnlyDenialsCount) {
  Open();
  AuditRecord allowed = Denial("bills");
  allowed.allowed = true;
  log_->Record(allowed);
  log_->Record(Denial("orders"));
  executor_.RunUntilIdle();
  EXPECT_THAT(Lines(Text()), ElementsAre("orders"));
  EXPECT_EQ(log_->counters().written, 1u);
  EXPECT_EQ(log_->counters().dropped, 0u);
}

TEST_F(AuditLogTest, WhatIsThereAlreadyStays) {
  env::DurableFile(fs_, "audit.log",
                   R"({"object":"old"})"
                   "\n");
  Open();
  log_->Record(Denial("new"));
  executor_.RunUntilIdle();
  EXPECT_THAT(Lines(Text()), ElementsAre("old", "new"));
}

TEST_F(AuditLogTest, ALineThatACrashToreSwallowsNone) {
  env::DurableFile(fs_, "audit.log", R"({"object":"ol)");
  Open();
  log_->Record(Denial("new"));
  executor_.RunUntilIdle();
  EXPECT_THAT(Lines(Text()), ElementsAre("torn", "new"));
}

TEST_F(AuditLogTest, AFullQueueDropsAndTellsWhereAndHowMany) {
  Open({.max_queued = 2});
  for (const char* object : {"a", "b", "c", "d", "e"}) log_->Record(Denial(object));
  EXPECT_EQ(log_->counters().dropped, 3u);
  executor_.RunUntilIdle();
  EXPECT_THAT(Lines(Text()), ElementsAre("a", "b", "-3"));
  log_->Record(Denial("f"));
  executor_.RunUntilIdle();
  EXPECT_THAT(Lines(Text()), ElementsAre("a", "b", "-3", "f"));
  EXPECT_EQ(log_->counters().written, 3u);
  EXPECT_EQ(log_->counters().dropped, 3u);
}

TEST_F(AuditLogTest, TheLineAboutDroppedRecordsIsWhereTheyWouldBe) {
  const size_t count = env::LineLog::kMaxBatchLines + 1;
  Open({.max_queued = count});
  for (size_t i = 0; i < count; ++i) log_->Record(Denial("early"));
  log_->Record(Denial("lost"));
  ASSERT_TRUE(executor_.RunOne());  // all but one
  log_->Record(Denial("late"));
  executor_.RunUntilIdle();
  const std::vector<std::string> lines = Lines(Text());
  ASSERT_EQ(lines.size(), count + 2);
  EXPECT_THAT(std::vector(lines.end() - 3, lines.end()), ElementsAre("early", "-1", "late"));
}

TEST_F(AuditLogTest, TheLineAboutDroppedRecordsHasTheTimeOfTheLast) {
  Open({.max_queued = 1});
  log_->Record(Denial("a"));
  log_->Record(Denial("b", kNowMs + 1));
  log_->Record(Denial("c", kNowMs + 2));
  executor_.RunUntilIdle();
  EXPECT_THAT(Text(), HasSubstr(R"({"time":"2026-05-28T20:26:40.125Z","dropped":2})"
                                "\n"));
}

TEST_F(AuditLogTest, ALongQueueIsWrittenInOrderInSeveralTurns) {
  Open();
  const size_t count = 2 * env::LineLog::kMaxBatchLines + 1;
  std::vector<std::string> expected;
  for (size_t i = 0; i < count; ++i) {
    expected.push_back(std::to_string(i));
    log_->Record(Denial(expected.back()));
  }
  executor_.RunUntilIdle();
  EXPECT_EQ(Lines(Text()), expected);
  EXPECT_EQ(fs_.call_count(SimOp::kWrite), 3u);
}

TEST_F(AuditLogTest, AFailingDiskIsReportedOnceAndWhatWaitedIsWrittenLater) {
  Open({.max_queued = 3, .sync = AuditSync::kNever});
  fs_.FailNext(SimOp::kWrite, "audit.log", SimFault::kNoSpace, 3);
  log_->Record(Denial("a"));
  executor_.RunUntilIdle();
  ASSERT_EQ(errors_.size(), 1u);
  EXPECT_THAT(std::string(errors_[0].message()), HasSubstr("audit.log"));
  for (const char* object : {"b", "c", "d"}) log_->Record(Denial(object));  // "d" finds no room
  executor_.RunUntilIdle();
  EXPECT_EQ(log_->counters().failures, 1u);  // no attempt before its time
  Second();
  Second();
  EXPECT_EQ(log_->counters().failures, 3u);
  EXPECT_EQ(Text(), "");
  Second();
  EXPECT_THAT(Lines(Text()), ElementsAre("a", "b", "c", "-1"));
  EXPECT_EQ(errors_.size(), 1u);
  EXPECT_EQ(log_->counters().written, 3u);

  fs_.FailNext(SimOp::kWrite, "audit.log", SimFault::kIoError);
  log_->Record(Denial("e"));
  executor_.RunUntilIdle();
  EXPECT_EQ(errors_.size(), 2u);  // another failure, told anew
  Second();
  EXPECT_THAT(Lines(Text()), ElementsAre("a", "b", "c", "-1", "e"));
}

TEST_F(AuditLogTest, APartOfALineThatWasWrittenSwallowsNone) {
  Open();
  for (int round = 0; round < 20; ++round) {
    fs_.FailNext(SimOp::kWrite, "audit.log", SimFault::kShortWrite);
    log_->Record(Denial("first" + std::to_string(round)));
    log_->Record(Denial("second" + std::to_string(round)));
    executor_.RunUntilIdle();
    Second();
    std::vector<std::string> lines = Lines(Text());
    ASSERT_GE(lines.size(), 2u);
    EXPECT_EQ(lines.back(), "second" + std::to_string(round));
    EXPECT_EQ(lines[lines.size() - 2], "first" + std::to_string(round));
    EXPECT_TRUE(Text().ends_with('\n'));
  }
  EXPECT_EQ(log_->counters().written, 40u);
  EXPECT_EQ(log_->counters().failures, 20u);
}

TEST_F(AuditLogTest, ASyncThatFailedIsAFailureAndItsBatchIsWrittenAgain) {
  Open({.sync = AuditSync::kBatch});
  fs_.FailNext(SimOp::kSync, "audit.log", SimFault::kIoError);
  log_->Record(Denial("a"));
  executor_.RunUntilIdle();
  EXPECT_EQ(log_->counters().written, 0u);
  EXPECT_EQ(errors_.size(), 1u);
  Second();
  EXPECT_EQ(log_->counters().written, 1u);
  fs_.Crash(env::CrashChoice::DropAll());
  EXPECT_THAT(Lines(Text()), testing::Contains("a"));
}

TEST_F(AuditLogTest, SyncsWhenItIsToldTo) {
  Open({.sync = AuditSync::kNever});
  log_->Record(Denial("a"));
  Second();
  Second();
  EXPECT_EQ(fs_.call_count(SimOp::kSync), 0u);

  Open({.sync = AuditSync::kInterval});
  for (const char* object : {"b", "c"}) {
    log_->Record(Denial(object));
    executor_.RunUntilIdle();
  }
  EXPECT_EQ(fs_.call_count(SimOp::kSync), 0u);
  Second();
  EXPECT_EQ(fs_.call_count(SimOp::kSync), 1u);
  Second();
  EXPECT_EQ(fs_.call_count(SimOp::kSync), 1u);  // nothing new

  Open({.sync = AuditSync::kBatch});
  log_->Record(Denial("d"));
  executor_.RunUntilIdle();
  EXPECT_EQ(fs_.call_count(SimOp::kSync), 2u);
}

TEST_F(AuditLogTest, ANewFileSurvivesAPowerCutWithItsRecords) {
  Open({.sync = AuditSync::kInterval});
  log_->Record(Denial("a"));
  Second();
  EXPECT_THAT(Lines(*env::Content(*fs_.CrashImage(env::CrashChoice::DropAll()), "audit.log")),
              ElementsAre("a"));
}

TEST_F(AuditLogTest, ARotatedFileIsLeftAndANewOneBegun) {
  Open();
  log_->Record(Denial("a"));
  executor_.RunUntilIdle();
  ASSERT_TRUE(fs_.Rename("audit.log", "audit.log.1").ok());
  log_->Record(Denial("b"));
  executor_.RunUntilIdle();  // still to the file that is open
  log_->Reopen();
  executor_.RunUntilIdle();
  EXPECT_EQ(Text(), "");
  log_->Record(Denial("c"));
  executor_.RunUntilIdle();
  EXPECT_THAT(Lines(*env::Content(fs_, "audit.log.1")), ElementsAre("a", "b"));
  EXPECT_THAT(Lines(Text()), ElementsAre("c"));
  EXPECT_THAT(errors_, IsEmpty());
}

TEST_F(AuditLogTest, AFileThatWasCutGoesOnAtItsEnd) {
  Open();
  log_->Record(Denial("a"));
  executor_.RunUntilIdle();
  ASSERT_TRUE(fs_.Open("audit.log", env::OpenMode::kReadWrite).value()->Truncate(0).ok());
  log_->Record(Denial("b"));
  executor_.RunUntilIdle();
  EXPECT_THAT(Lines(Text()), ElementsAre("b"));
}

TEST_F(AuditLogTest, AReopenThatFailsLosesNothing) {
  Open();
  fs_.FailNext(SimOp::kOpen, "audit.log", SimFault::kIoError, 2);
  log_->Reopen();
  executor_.RunUntilIdle();
  EXPECT_EQ(errors_.size(), 1u);
  log_->Record(Denial("a"));
  executor_.RunUntilIdle();
  EXPECT_EQ(Text(), "");
  Second();
  EXPECT_THAT(Lines(Text()), ElementsAre("a"));
  EXPECT_EQ(errors_.size(), 1u);
  EXPECT_EQ(log_->counters().failures, 2u);
}

TEST_F(AuditLogTest, AReopenTriesAgainAtOnce) {
  Open();
  fs_.FailNext(SimOp::kWrite, "audit.log", SimFault::kNoSpace);
  log_->Record(Denial("a"));
  executor_.RunUntilIdle();
  EXPECT_EQ(Text(), "");
  ASSERT_TRUE(fs_.Rename("audit.log", "audit.log.1").ok());
  log_->Reopen();
  executor_.RunUntilIdle();
  EXPECT_THAT(Lines(Text()), ElementsAre("a"));
  Second();
  EXPECT_THAT(Lines(Text()), ElementsAre("a"));  // the attempt that was planned is not made
}

TEST_F(AuditLogTest, HostileNamesBreakNoLine) {
  Open();
  AuditRecord record = Denial("\xff\xfe\"},\n{\"object\":\"forged\r\n\x1b[2J\x7f\xe2\x80\xae");
  record.subject = std::string("nul\0byte", 8);
  record.address = std::string(1 << 20, '\xc3');
  log_->Record(record);
  executor_.RunUntilIdle();
  const std::string text = Text();
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  for (const char c : text.substr(0, text.size() - 1)) {
    ASSERT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
  }
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["object"],
            "\xef\xbf\xbd\xef\xbf\xbd\"},\n{\"object\":\"forged\r\n\x1b[2J\x7f\xe2\x80\xae");
  EXPECT_EQ(json["subject"], std::string("nul\0byte", 8));
  EXPECT_TRUE(json["address"].get<std::string>().ends_with("..."));
  EXPECT_LT(text.size(), 8 * kMaxAuditTextBytes);
}

TEST_F(AuditLogTest, StopWritesAndSyncsWhatIsQueued) {
  Open();
  log_->Record(Denial("a"));
  log_->Record(Denial("b"));
  bool done = false;
  log_->Stop([&] {
    done = true;
    log_.reset();  // nothing touches it afterwards
  });
  log_->Record(Denial("late"));
  EXPECT_EQ(log_->counters().dropped, 1u);
  EXPECT_FALSE(done);
  executor_.RunUntilIdle();
  EXPECT_TRUE(done);
  Second();
  EXPECT_THAT(Lines(*env::Content(*fs_.CrashImage(env::CrashChoice::DropAll()), "audit.log")),
              ElementsAre("a", "b"));
}

TEST_F(AuditLogTest, StopEndsAlsoWhenTheDiskFails) {
  Open();
  fs_.FailNext(SimOp::kWrite, "audit.log", SimFault::kIoError, 2);
  log_->Record(Denial("a"));
  executor_.RunUntilIdle();
  log_->Record(Denial("b"));
  std::optional<AuditCounters> counters;
  log_->Stop([&] { counters = log_->counters(); });
  executor_.RunUntilIdle();
  ASSERT_TRUE(counters.has_value());
  EXPECT_EQ(counters->written, 0u);
  EXPECT_EQ(counters->dropped, 2u);
  EXPECT_EQ(counters->failures, 2u);
  EXPECT_EQ(errors_.size(), 1u);
}

TEST_F(AuditLogTest, AWrongPathIsAnErrorAtTheStart) {
  EXPECT_EQ(AuditLog::Open(fs_, executor_, {}, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(AuditLog::Open(fs_, executor_, {.path = "a", .max_queued = 0}, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(AuditLog::Open(fs_, executor_, {.path = "no/such/audit.log"}, nullptr).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(AuditLogThreadsTest, EveryRecordOfEveryThreadIsWrittenOrCounted) {
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kRecords = 5000;
  const env::TemporaryDirectory directory;
  const auto fs = env::NewPosixFileSystem();
  const std::string path = directory.Join("audit.log");
  env::EventLoop loop("audit");
  auto log = AuditLog::Open(*fs, loop, {.path = path, .max_queued = 1000}, nullptr);
  ASSERT_TRUE(log.ok()) << log.status();
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (uint64_t j = 0; j < kRecords; ++j) (*log)->Record(Denial("orders"));
      (*log)->Reopen();
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::latch stopped(1);
  AuditCounters counters;
  (*log)->Stop([&] {
    counters = (*log)->counters();
    log->reset();
    stopped.count_down();
  });
  stopped.wait();
  EXPECT_EQ(counters.failures, 0u);
  EXPECT_EQ(counters.written + counters.dropped, kThreads * kRecords);

  uint64_t written = 0;
  uint64_t told = 0;
  for (const std::string& line : Lines(*env::ReadFile(*fs, path, 1 << 30))) {
    if (line.starts_with('-')) {
      told += std::stoull(line.substr(1));
    } else {
      EXPECT_EQ(line, "orders");
      ++written;
    }
  }
  EXPECT_EQ(written, counters.written);
  EXPECT_EQ(told, counters.dropped);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace cairn::security
