// Power cuts at every write of random scripts: every acknowledged entry is there and intact, the
// log opens, and nothing is there that was not written, or twice.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "log/log_model_testing.h"

namespace cairn::log {
namespace {

// Scripts and their length. CAIRN_CRASH_SCRIPTS=1000 makes a long run of it.
int Scripts() {
  const char* scripts = std::getenv("CAIRN_CRASH_SCRIPTS");
  return scripts != nullptr ? std::atoi(scripts) : 60;
}
constexpr int kSteps = 60;

class CrashChecker {
 public:
  explicit CrashChecker(uint64_t seed) : seed_(seed), fs_(seed), test_(fs_, seed) {}

  // Returns the number of crash states looked at.
  uint64_t Run() {
    fs_.SetMutationHook([this](const env::SimCall& call) {
      call_ = std::to_string(call.number) + " op " + std::to_string(static_cast<int>(call.op)) +
              " of " + std::string(call.path);
      LookAtCrashes();
    });
    for (int i = 0; i < kSteps && !::testing::Test::HasFailure(); ++i) test_.Step();
    fs_.SetMutationHook(nullptr);
    return states_;
  }

 private:
  void LookAtCrashes() {
    if (::testing::Test::HasFailure()) return;
    Look(env::CrashChoice::DropAll());
    Look(env::CrashChoice::KeepAll());
    Look(env::CrashChoice::KeepLast());
    for (int i = 0; i < 4; ++i) Look(env::CrashChoice::Random(next_choice_++));
  }

  void Look(const env::CrashChoice& choice) {
    ++states_;
    auto image = fs_.CrashImage(choice);
    const auto where = [&] {
      return "seed " + std::to_string(seed_) + ", before call " + call_ + ", choice " +
             std::to_string(static_cast<int>(choice.kind)) + "/" + std::to_string(choice.seed);
    };
    RecoveryReport report;
    auto log = test_.OpenIn(*image, report);
    ASSERT_TRUE(log.ok()) << where() << ": " << log.status();
    ASSERT_TRUE(report.damages.empty()) << where() << ": " << Describe(report.damages[0]);
    ASSERT_EQ(Compare(**log, test_.expected()), "") << where();
    if (states_ % 4 != 0) return;
    // The power fails again right after recovery: what was found once is found again.
    ++states_;
    Expectation found = test_.expected();
    found.required_end = found.optional_end = (*log)->end_index().value();
    found.start_offset = found.new_start_offset = (*log)->start_offset().value();
    auto second = image->CrashImage(env::CrashChoice::Random(next_choice_++));
    RecoveryReport again;
    auto reopened = test_.OpenIn(*second, again);
    ASSERT_TRUE(reopened.ok()) << where() << " twice: " << reopened.status();
    ASSERT_TRUE(again.damages.empty()) << where() << " twice: " << Describe(again.damages[0]);
    ASSERT_EQ(Compare(**reopened, found), "") << where() << " twice";
  }

  const uint64_t seed_;
  env::SimFileSystem fs_;
  LogUnderTest test_;
  std::string call_;
  uint64_t next_choice_ = 0;
  uint64_t states_ = 0;
};

TEST(LogCrashTest, EveryAcknowledgedEntrySurvivesAPowerCutAtEveryWrite) {
  uint64_t states = 0;
  for (int seed = 0; seed < Scripts() && !HasFailure(); ++seed) {
    states += CrashChecker(static_cast<uint64_t>(seed)).Run();
  }
  std::printf("%lu crash states\n", static_cast<unsigned long>(states));
  RecordProperty("crash_states", static_cast<int>(states));
  if (!HasFailure() && std::getenv("CAIRN_CRASH_SCRIPTS") == nullptr) {
    EXPECT_GE(states, 100'000u);
  }
}

TEST(LogCrashTest, EveryAcknowledgedEntrySurvivesFailingCalls) {
  uint64_t looks = 0;
  for (uint64_t seed = 0; seed < static_cast<uint64_t>(Scripts()) * 10 && !HasFailure(); ++seed) {
    env::SimFileSystem fs(seed);
    LogUnderTest test(fs, seed);
    env::SimRandom random(seed + 1'000'000);
    uint64_t required_end = 0;
    bool cut = false;
    for (int i = 0; i < kSteps && !HasFailure(); ++i) {
      const env::SimFault fault = std::array{env::SimFault::kIoError, env::SimFault::kNoSpace,
                                             env::SimFault::kShortWrite}[random.Next() % 3];
      fs.FailCall(fs.call_count() + 1 + random.Next() % 12, fault);
      // What one fault breaks is cleaned up by calls that may fail as well.
      if (random.Next() % 4 == 0) fs.FailCall(fs.call_count() + 1 + random.Next() % 12, fault);
      test.Step();
      // What a failed call has left behind must not come out when the power fails later. (But for
      // segments that were cut off while a directory could not be synced: those do.)
      cut = cut || test.expected().required_end < required_end;
      required_end = test.expected().required_end;
      if (cut) continue;
      const auto image = fs.CrashImage(i % 2 == 0 ? env::CrashChoice::DropAll()
                                                  : env::CrashChoice::Random(random.Next()));
      RecoveryReport report;
      auto log = test.OpenIn(*image, report);
      ASSERT_TRUE(log.ok()) << "seed " << seed << ", step " << i << ": " << log.status();
      ASSERT_TRUE(report.damages.empty())
          << "seed " << seed << ", step " << i << ": " << Describe(report.damages[0]);
      ASSERT_EQ(Compare(**log, test.expected()), "") << "seed " << seed << ", step " << i;
      ++looks;
    }
    fs.ClearFaults();
    SCOPED_TRACE("seed " + std::to_string(seed));
    if (!HasFailure()) test.Open();
  }
  EXPECT_GT(looks, 100u);
}

}  // namespace
}  // namespace cairn::log
