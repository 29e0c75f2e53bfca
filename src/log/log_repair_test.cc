// Damaged segments are made anew from what is intact and from another replica: every entry is back,
// nothing that does not fit is taken, and a power cut at any moment leaves the old or the new one.
#include <gtest/gtest.h>

#include "base/malloc_tuning.h"
#include "env/sim_testing.h"
#include "log/log_damage_testing.h"

namespace cairn::log {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kRepairStride = 1009;
constexpr uint64_t kCutStride = 131;
constexpr uint64_t kLookStride = 10;
#else
constexpr uint64_t kRepairStride = 7;
constexpr uint64_t kCutStride = 5;
constexpr uint64_t kLookStride = 1;
#endif

class LogRepairTest : public ::testing::TestWithParam<LogEnd> {};

TEST_P(LogRepairTest, EveryFlippedBitIsRepaired) {
  base::TuneMalloc();  // or every copy of a file is mapped and unmapped
  DamageableLog log(GetParam(), 1);
  uint64_t losses = 0;
  for (const std::string& path : log.Files()) {
    if (!path.ends_with(".store")) continue;
    const uint64_t bits = log.SizeOf(path) * 8;
    for (uint64_t bit = 0; bit < bits; bit += kRepairStride) {
      const auto copy = log.Copy();
      ASSERT_TRUE(copy->FlipBit(path, bit).ok());
      const Judgement judgement = log.JudgeRepair(*copy);
      ASSERT_EQ(judgement.problem, "") << path << " bit " << bit;
      losses += judgement.unreadable_entries;
    }
  }
  EXPECT_GT(losses, 0u);
}

TEST_P(LogRepairTest, EveryShortenedSegmentIsRepaired) {
  base::TuneMalloc();  // or every copy of a file is mapped and unmapped
  DamageableLog log(GetParam(), 1);
  uint64_t losses = 0;
  for (const std::string& path : log.Files()) {
    if (!path.ends_with(".store")) continue;
    for (uint64_t length = kStoreHeaderBytes; length < log.SizeOf(path); length += kCutStride) {
      const auto copy = log.Copy();
      ASSERT_TRUE(copy->Open(path, env::OpenMode::kReadWrite).value()->Truncate(length).ok());
      const Judgement judgement = log.JudgeRepair(*copy);
      ASSERT_EQ(judgement.problem, "") << path << " cut to " << length;
      losses += judgement.unreadable_entries;
    }
  }
  EXPECT_GT(losses, 0u);
}

INSTANTIATE_TEST_SUITE_P(AllEnds, LogRepairTest,
                         ::testing::Values(LogEnd::kClosed, LogEnd::kKilled, LogEnd::kUnsynced),
                         NameOfEnd);

// A log of several segments, its files as another replica has them, and ways to damage it.
class SegmentRepairTest : public ::testing::Test {
 protected:
  SegmentRepairTest() {
    base::TuneMalloc();
    options_.directory = "/log";
    options_.topic_id = base::Uuid::FromRandom(5, 6);
    options_.segment_bytes = 64 << 10;
    EXPECT_TRUE(fs_->CreateDir("/log").ok());
    EXPECT_TRUE(fs_->SyncDir("/").ok());
    EXPECT_TRUE(Log::Create(*fs_, clock_, options_).ok());
    Open();
    for (int i = 0; i < 300; ++i) Append();
    EXPECT_TRUE(log_->Close().ok());
    log_.reset();
    healthy_fs_ = fs_->KillImage();
    RecoveryReport report;
    healthy_ = Log::Open(*healthy_fs_, clock_, options_, report).value();
  }

  void Open(env::SimFileSystem* fs = nullptr) {
    report_ = {};
    auto opened = Log::Open(fs == nullptr ? *fs_ : *fs, clock_, options_, report_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
  }

  Entry Next(const Log& log, int term = 3) {
    BatchBuilder builder;
    for (int r = 0; r < 2; ++r) {
      ++number_;
      builder.Add("k", std::string(400, 'v') + std::to_string(number_), 1'000 + number_);
    }
    return MakeBatchEntry(builder.Take(), log.end_index(), Term(term), log.end_offset());
  }
  void Append() {
    const Entry entry = Next(*log_);
    ASSERT_TRUE(log_->Write({&entry, 1}).ok());
    ASSERT_TRUE(log_->Sync().ok());
  }

  std::vector<uint64_t> Bases() {
    std::vector<uint64_t> bases;
    const auto names = fs_->List("/log");
    for (const auto& entry : *names) {
      if (const auto base = ParseStoreFileName(entry.name)) bases.push_back(base->value());
    }
    return bases;
  }
  std::string Store(uint64_t base) { return "/log/" + StoreFileName(Offset(base)); }

  // Empty, or what is not as in the healthy log.
  std::string CompareAll(const Log& log) const {
    for (Index at = healthy_->first_index(); at < healthy_->end_index(); ++at) {
      const auto wanted = healthy_->ReadByIndex(at, at + 1, 1);
      const auto found = log.ReadByIndex(at, at + 1, 1);
      if (!found.ok()) return found.status().ToString();
      EntryHeader header = wanted->front().header;
      header.durable_bytes = found->front().header.durable_bytes;
      if (found->front().header != header || found->front().body() != wanted->front().body()) {
        return "another entry at index " + std::to_string(at.value());
      }
    }
    return "";
  }
  // Reads all of it, so that damage is met.
  static void Sweep(const Log& log) {
    for (Index at = log.first_index(); at < log.end_index(); ++at) {
      log.ReadByIndex(at, at + 1, 1).status().IgnoreError();  // noted by the log
    }
  }
  void ExpectRepaired() {
    EXPECT_FALSE(log_->damaged());
    EXPECT_EQ(CompareAll(*log_), "");
    log_.reset();
    Open();
    EXPECT_TRUE(report_.damages.empty());
    Sweep(*log_);
    EXPECT_FALSE(log_->damaged());
    EXPECT_EQ(CompareAll(*log_), "");
    EXPECT_FALSE(fs_->Stat("/log/repair").ok());
    for (const uint64_t base : Bases()) {
      EXPECT_EQ(env::Content(*fs_, Store(base))->size(),
                env::Content(*healthy_fs_, Store(base))->size());
    }
  }

  std::unique_ptr<env::SimFileSystem> fs_ = std::make_unique<env::SimFileSystem>(1);
  env::SimClock clock_;
  LogOptions options_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<env::SimFileSystem> healthy_fs_;
  std::unique_ptr<Log> healthy_;
  RecoveryReport report_;
  int number_ = 0;
};

TEST_F(SegmentRepairTest, DamageThatAReadMeetsIsNotedAndRepaired) {
  const auto bases = Bases();
  ASSERT_GE(bases.size(), 4u);
  ASSERT_TRUE(fs_->FlipBit(Store(bases[1]), 8 * 20'000).ok());
  Open();
  EXPECT_FALSE(log_->damaged());  // closed: nothing was read
  Sweep(*log_);
  ASSERT_TRUE(log_->damaged());
  EXPECT_EQ(log_->damages().size(), 1u);
  EXPECT_EQ(log_->damages()[0].end_index, log_->damages()[0].first_index + 1);
  ASSERT_TRUE(Repair(*fs_, *log_, *healthy_).ok());
  ExpectRepaired();
}

TEST_F(SegmentRepairTest, DamageThatAReadMetIsKnownToTheNextOpening) {
  ASSERT_TRUE(fs_->FlipBit(Store(Bases()[1]), 8 * 20'000).ok());
  Open();
  Sweep(*log_);
  ASSERT_TRUE(log_->Close().ok());
  log_.reset();
  Open();
  EXPECT_EQ(report_.damages.size(), 1u);
  EXPECT_TRUE(log_->damaged());
}

TEST_F(SegmentRepairTest, ALostHeaderBlockAndFirstEntriesAreRepaired) {
  auto file = fs_->Open(Store(Bases()[2]), env::OpenMode::kReadWrite).value();
  ASSERT_TRUE(env::Write(*file, 0, std::string(5'000, 'x')).ok());
  Open();
  Sweep(*log_);
  ASSERT_TRUE(log_->damaged());
  ASSERT_TRUE(Repair(*fs_, *log_, *healthy_).ok());
  ExpectRepaired();
}

TEST_F(SegmentRepairTest, AMissingSegmentIsMadeAgain) {
  const auto bases = Bases();
  ASSERT_TRUE(fs_->RemoveFile(Store(bases[1])).ok());
  ASSERT_TRUE(fs_->RemoveFile(Store(bases[2])).ok());
  Open();
  ASSERT_TRUE(log_->damaged());
  ASSERT_TRUE(Repair(*fs_, *log_, *healthy_, 5'000).ok());
  ExpectRepaired();
  EXPECT_EQ(Bases(), bases);  // split where it was
}

TEST_F(SegmentRepairTest, TheActiveSegmentIsSealedFirstAndWrittenOnBehind) {
  const auto bases = Bases();
  Open();
  ASSERT_TRUE(fs_->FlipBit(Store(bases.back()), 8 * 2'000).ok());
  Sweep(*log_);
  ASSERT_TRUE(log_->damaged());
  auto target = log_->PrepareRepair();
  ASSERT_TRUE(target.ok()) << target.status();
  Append();  // the log goes on while the segment is made anew
  ASSERT_TRUE(Repair(*fs_, *log_, *healthy_).ok());
  Append();
  EXPECT_EQ(CompareAll(*log_), "");
  log_.reset();
  Open();
  EXPECT_TRUE(report_.damages.empty());
  EXPECT_EQ(CompareAll(*log_), "");
  EXPECT_EQ(log_->end_index(), healthy_->end_index() + 2);
}

TEST_F(SegmentRepairTest, WhatAReadTookForDamageAndIsIntactIsForgotten) {
  const auto path = Store(Bases()[1]);
  ASSERT_TRUE(fs_->FlipBit(path, 8 * 20'000).ok());
  Open();
  Sweep(*log_);
  ASSERT_TRUE(fs_->FlipBit(path, 8 * 20'000).ok());
  const auto before = fs_->call_count(env::SimOp::kCreate);
  ASSERT_TRUE(Repair(*fs_, *log_, *healthy_).ok());
  EXPECT_EQ(fs_->call_count(env::SimOp::kCreate), before);
  EXPECT_FALSE(log_->damaged());
}

TEST_F(SegmentRepairTest, EntriesThatDoNotFitAreRefused) {
  ASSERT_TRUE(fs_->FlipBit(Store(Bases()[1]), 8 * 20'000).ok());
  Open();
  Sweep(*log_);
  auto target = log_->PrepareRepair();
  ASSERT_TRUE(target.ok());
  const auto repair = SegmentRepair::Begin(*fs_, **target).value();
  while (*repair->Step() != SegmentRepair::Progress::kEntries) {
  }
  const Index at = repair->next_index();
  const Entry right = healthy_->ReadByIndex(at, at + 1, 1)->front();
  const auto take = [&](auto change, Term before = Term(3)) {
    Entry entry = right;
    change(entry);
    return repair->Take({&entry, 1}, before).code();
  };
  const auto refused = absl::StatusCode::kFailedPrecondition;
  const auto nothing = [](Entry&) {};
  EXPECT_EQ(repair->Take({}, Term(3)).code(), refused);
  EXPECT_EQ(take(nothing, Term(2)), refused);
  EXPECT_EQ(take([](Entry& entry) { ++entry.header.index; }), refused);
  EXPECT_EQ(take([](Entry& entry) { entry.header.base_offset = entry.header.end_offset(); }),
            refused);
  EXPECT_EQ(take([](Entry& entry) { entry.header.term = Term(2); }), refused);
  EXPECT_EQ(take([](Entry& entry) { ++entry.header.body_crc; }), absl::StatusCode::kDataLoss);
  EXPECT_EQ(repair->next_index(), at);
  // One record more: it fits where it is, and not what follows.
  EXPECT_EQ(take([](Entry& entry) { ++entry.header.record_count; }), absl::StatusCode::kOk);
  absl::Status ended;
  while (ended.ok()) {
    const auto progress = repair->Step();
    ended = progress.status();
    if (!progress.ok() || *progress != SegmentRepair::Progress::kEntries) continue;
    const auto more = healthy_->ReadByIndex(repair->next_index(), repair->next_index() + 1, 1);
    ended = repair->Take(*more, Term(3));
  }
  EXPECT_EQ(ended.code(), refused);
  EXPECT_TRUE(log_->damaged());
}

TEST_F(SegmentRepairTest, ALogThatChangedMeanwhileIsLeftAsItIs) {
  const auto bases = Bases();
  for (const bool truncated : {false, true}) {
    SCOPED_TRACE(truncated);
    const auto image = fs_->KillImage();
    ASSERT_TRUE(image->FlipBit(Store(bases[1]), 8 * 20'000).ok());
    Open(image.get());
    Sweep(*log_);
    auto target = log_->PrepareRepair();
    ASSERT_TRUE(target.ok());
    const auto repair = SegmentRepair::Begin(*image, **target).value();
    while (true) {
      const auto progress = *repair->Step();
      if (progress == SegmentRepair::Progress::kDone) break;
      if (progress == SegmentRepair::Progress::kMore) continue;
      const auto entries = healthy_->ReadByIndex(repair->next_index(), repair->wanted_limit(), 1);
      ASSERT_TRUE(repair->Take(*entries, Term(3)).ok());
    }
    if (truncated) {
      ASSERT_TRUE(log_->TruncateSuffix((*target)->end_index - 1).ok());
    } else {
      ASSERT_TRUE(log_->DeletePrefix(Offset(bases[2])).ok());
      EXPECT_FALSE(log_->damaged());  // it went with its segment
    }
    EXPECT_TRUE(absl::IsAborted(log_->AdoptRepair(*repair)));
    log_.reset();
  }
}

TEST_F(SegmentRepairTest, WhatOthersHaveDeletedIsNotMissed) {
  const auto bases = Bases();
  ASSERT_TRUE(fs_->FlipBit(Store(bases[1]), 8 * 2'000).ok());
  Open();
  Sweep(*log_);
  ASSERT_TRUE(log_->damaged());
  // The healthy one begins in the middle of the damaged segment.
  const Index first = log_->damages()[0].end_index + 5;
  const Entry entry = healthy_->ReadByIndex(first, first + 1, 1)->front();
  const LogStart start{.offset = entry.header.base_offset, .index = first, .term = Term(3)};
  uint64_t states = 0;
  fs_->SetMutationHook([&](const env::SimCall&) {
    const auto image = fs_->CrashImage(env::CrashChoice::Random(++states));
    RecoveryReport report;
    auto log = Log::Open(*image, clock_, options_, report);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_EQ((*log)->end_index(), healthy_->end_index());
    ASSERT_LE((*log)->start_offset(), start.offset);
    ASSERT_TRUE((*log)->Read(start.offset, (*log)->end_offset(), 1).ok());
  });
  ASSERT_TRUE(log_->DeletePrefix(start.offset).ok());
  ASSERT_TRUE(log_->damaged());
  const auto repair = SegmentRepair::Begin(*fs_, **log_->PrepareRepair()).value();
  while (*repair->Step() != SegmentRepair::Progress::kEntries) {
  }
  ASSERT_TRUE(repair->StartAt(start).ok());
  while (*repair->Step() != SegmentRepair::Progress::kDone) {
  }
  ASSERT_TRUE(log_->AdoptRepair(*repair).ok());
  fs_->SetMutationHook(nullptr);
  EXPECT_GT(states, 10u);
  EXPECT_FALSE(log_->damaged());
  EXPECT_EQ(log_->first_index(), first);
  EXPECT_EQ(log_->start_offset(), start.offset);
  EXPECT_FALSE(fs_->Stat(Store(bases[1])).ok());
  log_.reset();
  Open();
  EXPECT_EQ(log_->first_index(), first);
  EXPECT_EQ(log_->ReadByIndex(first, first + 1, 1)->front().body(), entry.body());
}

TEST_F(SegmentRepairTest, APowerCutAtEveryWriteLeavesTheDamagedOrTheNewSegment) {
  const auto bases = Bases();
  ASSERT_TRUE(fs_->FlipBit(Store(bases[1]), 8 * 20'000).ok());
  ASSERT_TRUE(fs_->RemoveFile(Store(bases[3])).ok());
  ASSERT_TRUE(fs_->SyncDir("/log").ok());
  Open();
  Sweep(*log_);
  const Index end = log_->end_index();
  uint64_t states = 0;
  uint64_t damaged = 0;
  uint64_t choice = 0;
  const auto look = [&](const env::CrashChoice& crash) {
    if (HasFailure()) return;
    const auto image = fs_->CrashImage(crash);
    RecoveryReport report;
    auto log = Log::Open(*image, clock_, options_, report);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_EQ((*log)->end_index(), end);
    // What is not as it was is known to be lost, also before anybody has read it, but for what
    // nobody had prepared for repair.
    for (Index at = (*log)->first_index(); at < end; ++at) {
      const auto found = (*log)->ReadByIndex(at, at + 1, 1);
      const auto wanted = healthy_->ReadByIndex(at, at + 1, 1);
      if (!found.ok()) {
        ASSERT_TRUE(absl::IsDataLoss(found.status())) << found.status();
        continue;
      }
      ASSERT_EQ(found->front().body(), wanted->front().body());
    }
    damaged += (*log)->damaged() ? 1 : 0;
    ASSERT_TRUE(Repair(*image, **log, *healthy_).ok());
    ASSERT_EQ(CompareAll(**log), "");
    ++states;
  };
  uint64_t mutations = 0;
  fs_->SetMutationHook([&](const env::SimCall&) {
    if (mutations++ % kLookStride != 0) return;
    look(env::CrashChoice::DropAll());
    look(env::CrashChoice::KeepAll());
    look(env::CrashChoice::KeepLast());
    look(env::CrashChoice::Random(choice++));
  });
  ASSERT_TRUE(Repair(*fs_, *log_, *healthy_).ok());
  fs_->SetMutationHook(nullptr);
  EXPECT_GT(states, 500 / kLookStride);
  EXPECT_GT(damaged, 0u);
  ExpectRepaired();
}

TEST_F(SegmentRepairTest, ADiskThatFailsLeavesTheDamagedSegmentInUse) {
  const auto bases = Bases();
  ASSERT_TRUE(fs_->FlipBit(Store(bases[1]), 8 * 20'000).ok());
  for (const auto fault : {env::SimFault::kIoError, env::SimFault::kNoSpace}) {
    for (uint64_t nth = 1; nth < 60; ++nth) {
      const auto image = fs_->KillImage();
      Open(image.get());
      Sweep(*log_);
      image->FailCall(image->call_count() + nth, fault);
      const absl::Status repaired = Repair(*image, *log_, *healthy_);
      image->ClearFaults();
      ASSERT_EQ(log_->end_index(), healthy_->end_index());
      if (!repaired.ok() && !log_->failed()) {
        ASSERT_TRUE(Repair(*image, *log_, *healthy_).ok()) << "call " << nth;
      }
      if (log_->failed()) Open(image.get());
      ASSERT_TRUE(Repair(*image, *log_, *healthy_).ok()) << "call " << nth;
      ASSERT_EQ(CompareAll(*log_), "") << "call " << nth;
    }
  }
}

}  // namespace
}  // namespace cairn::log
