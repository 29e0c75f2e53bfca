#include "log/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include "base/error_info.h"
#include "env/files.h"
#include "env/posix.h"
#include "env/sim_file_system.h"
#include "env/temporary_directory.h"
#include "log/records.h"

namespace cairn::log {
namespace {

class FixedClock final : public env::Clock {
 public:
  int64_t WallMs() const override { return now_ms; }
  int64_t MonotonicNs() const override { return now_ms * 1'000'000; }
  std::atomic<int64_t> now_ms{1'000'000};
};

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    options_.directory = directory_.path();
    options_.topic_id = base::Uuid::FromRandom(1, 2);
    options_.segment_bytes = 64 << 10;
    EXPECT_TRUE(Log::Create(*fs_, clock_, options_).ok());
    Reopen();
  }

  // Opens anew; without Close before, as after a kill.
  void Reopen() {
    log_.reset();
    report_ = {};
    auto opened = Log::Open(*fs_, clock_, options_, report_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
  }

  // A new log on another disk, in the place of the one here.
  void OpenOn(env::SimFileSystem& disk) {
    options_.directory = "/log";
    ASSERT_TRUE(disk.CreateDir("/log").ok());
    ASSERT_TRUE(disk.SyncDir("/").ok());
    ASSERT_TRUE(Log::Create(disk, clock_, options_).ok());
    log_ = *Log::Open(disk, clock_, options_, report_);
  }

  Entry Next(std::string_view value, uint32_t count = 1, int64_t timestamp = 0) {
    BatchBuilder builder;
    for (uint32_t i = 0; i < count; ++i) {
      builder.Add(std::nullopt, value, timestamp == 0 ? clock_.WallMs() : timestamp + i);
    }
    return MakeBatchEntry(builder.Take(), log_->end_index(), term_, log_->end_offset());
  }

  absl::Status Append(std::string_view value, uint32_t count = 1, int64_t timestamp = 0) {
    const Entry entry = Next(value, count, timestamp);
    if (absl::Status status = log_->Write({&entry, 1}); !status.ok()) return status;
    return log_->Sync();
  }

  // The value of the record at `offset`, or the error.
  absl::StatusOr<std::string> Get(uint64_t offset) const {
    auto entries = log_->Read(Offset(offset), log_->end_offset(), 1);
    if (!entries.ok()) return entries.status();
    if (entries->empty()) return absl::OutOfRangeError("nothing");
    std::string scratch;
    const auto records = UncompressedRecords(entries->front(), scratch);
    RecordsReader reader(*records, 0);
    RecordView record;
    for (uint64_t at = entries->front().header.base_offset.value(); at <= offset; ++at) {
      if (!*reader.Next(record)) return absl::OutOfRangeError("batch too short");
    }
    return std::string(*record.value);
  }

  // The base offsets of the store files, ascending.
  std::vector<uint64_t> StoreBases() const {
    const auto names = fs_->List(directory_.path());
    std::vector<uint64_t> bases;
    for (const auto& entry : *names) {
      if (const auto base = ParseStoreFileName(entry.name)) bases.push_back(base->value());
    }
    return bases;
  }

  std::string StorePath(uint64_t base) const {
    return directory_.Join(StoreFileName(Offset(base)));
  }

  static void FlipBit(const std::string& path, std::streamoff byte) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(byte);
    const char old = static_cast<char>(file.get());
    file.seekp(byte);
    file.put(static_cast<char>(old ^ 4));
    ASSERT_TRUE(file.good());
  }

  env::TemporaryDirectory directory_;
  std::unique_ptr<env::FileSystem> fs_ = env::NewPosixFileSystem();
  FixedClock clock_;
  LogOptions options_;
  RecoveryReport report_;
  Term term_{1};
  std::unique_ptr<Log> log_;
};

TEST_F(LogTest, ReadsBackWhatWasAppendedAcrossSegmentsAndReopens) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(Append("value " + std::to_string(i) + std::string(1000, '.')).ok());
  }
  EXPECT_GT(log_->segment_count(), 3u);
  for (const bool clean : {false, true, false}) {
    if (clean) {
      ASSERT_TRUE(log_->Close().ok());
    }
    Reopen();
    EXPECT_TRUE(report_.damages.empty());
    EXPECT_EQ(log_->end_offset(), Offset(300));
    for (int i = 0; i < 300; i += 7) {
      EXPECT_EQ(Get(static_cast<uint64_t>(i))->substr(0, 9),
                ("value " + std::to_string(i) + "...").substr(0, 9));
    }
    if (clean) {
      EXPECT_EQ(report_.scanned_bytes, 0u);
    }
  }
}

TEST_F(LogTest, AReadReturnsWholeBatchesAndStopsAtTheLimit) {
  ASSERT_TRUE(Append("a", 5).ok());
  ASSERT_TRUE(Append("b", 5).ok());
  ASSERT_TRUE(Append("c", 5).ok());
  auto entries = log_->Read(Offset(7), Offset(10), 1 << 20);
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().header.base_offset, Offset(5));
  EXPECT_TRUE(log_->Read(Offset(10), Offset(10), 1 << 20)->empty());
  EXPECT_EQ(log_->Read(Offset(0), Offset(15), 1 << 20)->size(), 3u);
}

TEST_F(LogTest, BarriersTakeAnIndexButNoOffset) {
  ASSERT_TRUE(Append("a").ok());
  const Entry barrier =
      MakeControlEntry(EntryKind::kBarrier, "", log_->end_index(), Term(2), log_->end_offset(), 0);
  ASSERT_TRUE(log_->Write({&barrier, 1}).ok());
  term_ = Term(2);
  ASSERT_TRUE(Append("b").ok());
  EXPECT_EQ(log_->end_offset(), Offset(2));
  EXPECT_EQ(log_->end_index(), Index(4));
  EXPECT_EQ(*Get(1), "b");
  const auto all = log_->ReadByIndex(Index(1), Index(4), 1 << 20);
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[1].header.kind, EntryKind::kBarrier);
  EXPECT_EQ(*log_->TermAt(Index(1)), Term(1));
  EXPECT_EQ(*log_->TermAt(Index(2)), Term(2));
  const auto terms = *log_->Terms();
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[1].first_index, Index(2));
}

TEST_F(LogTest, FindsTheFirstRecordAtOrAfterATimestamp) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(Append(std::string(1000, 'x'), 3, 1000 + i * 10).ok());
  const Offset end = log_->end_offset();
  EXPECT_EQ(*log_->OffsetForTimestamp(0, end), Offset(0));
  EXPECT_EQ(*log_->OffsetForTimestamp(1001, end), Offset(1));
  EXPECT_EQ(*log_->OffsetForTimestamp(1003, end), Offset(3));
  EXPECT_EQ(*log_->OffsetForTimestamp(2500, end), Offset(450));
  EXPECT_EQ(*log_->OffsetForTimestamp(999'999, end), end);
}

TEST_F(LogTest, RetentionByBytesDeletesWholeOldSegmentsOnly) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(Append(std::string(1000, 'x')).ok());
  const size_t segments = log_->segment_count();
  ASSERT_TRUE(log_->ApplyRetention({.bytes = 100'000, .ms = -1}, log_->end_offset()).ok());
  EXPECT_LT(log_->segment_count(), segments);
  EXPECT_GE(log_->size_bytes(), 100'000u);
  const Offset start = log_->start_offset();
  EXPECT_GT(start, Offset(0));
  EXPECT_TRUE(Get(start.value()).ok());
  const auto early = log_->Read(start - 1, log_->end_offset(), 1);
  EXPECT_EQ(early.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(base::GetErrorInfo(early.status())->metadata.at("log_start"),
            std::to_string(start.value()));
  Reopen();
  EXPECT_EQ(log_->start_offset(), start);
}

TEST_F(LogTest, RetentionNeverPassesTheLimitOrTheActiveSegment) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(Append(std::string(1000, 'x')).ok());
  ASSERT_TRUE(log_->ApplyRetention({.bytes = 0, .ms = -1}, Offset(100)).ok());
  EXPECT_LE(log_->start_offset(), Offset(100));
  ASSERT_TRUE(log_->ApplyRetention({.bytes = 0, .ms = -1}, log_->end_offset()).ok());
  EXPECT_EQ(log_->segment_count(), 1u);
  EXPECT_TRUE(Get(299).ok());
}

TEST_F(LogTest, RetentionByAgeRollsAnIdleSegmentAndSurvivesAClockStepBack) {
  options_.segment_ms = 1000;
  Reopen();
  ASSERT_TRUE(Append("old").ok());
  clock_.now_ms -= 500'000;
  ASSERT_TRUE(log_->ApplyRetention({.bytes = -1, .ms = 5000}, log_->end_offset()).ok());
  EXPECT_EQ(*Get(0), "old");
  clock_.now_ms += 500'000 + 2000;
  ASSERT_TRUE(log_->ApplyRetention({.bytes = -1, .ms = 5000}, log_->end_offset()).ok());
  EXPECT_EQ(log_->segment_count(), 2u);
  clock_.now_ms += 10'000;
  ASSERT_TRUE(log_->ApplyRetention({.bytes = -1, .ms = 5000}, log_->end_offset()).ok());
  EXPECT_EQ(log_->start_offset(), Offset(1));
  ASSERT_TRUE(Append("new").ok());
  EXPECT_EQ(*Get(1), "new");
}

// Entries that take no offset would leave the next segment with the name of the one before: a topic
// that nobody had written to for longer than segment_ms could never be written to again.
TEST_F(LogTest, ASegmentWithoutRecordsIsNotRolled) {
  options_.segment_ms = 1000;
  Reopen();
  const auto append_barriers = [&](size_t bytes) {
    while (bytes > 0) {
      const Entry barrier = MakeControlEntry(EntryKind::kBarrier, std::string(4000, 'c'),
                                             log_->end_index(), term_, log_->end_offset(), 0);
      ASSERT_TRUE(log_->Write({&barrier, 1}).ok());
      bytes -= std::min<size_t>(bytes, barrier.size_bytes());
    }
    ASSERT_TRUE(log_->Sync().ok());
  };
  append_barriers(2 * options_.segment_bytes);
  clock_.now_ms += 2000;
  append_barriers(1);
  ASSERT_TRUE(log_->ApplyRetention({}, log_->end_offset()).ok());
  ASSERT_TRUE(Append("first").ok());
  EXPECT_EQ(log_->segment_count(), 1u);
  clock_.now_ms += 2000;
  append_barriers(1);
  clock_.now_ms += 2000;
  append_barriers(1);
  ASSERT_TRUE(Append("second").ok());
  EXPECT_EQ(StoreBases(), (std::vector<uint64_t>{0, 1}));
  Reopen();
  EXPECT_EQ(*Get(0), "first");
  EXPECT_EQ(*Get(1), "second");
}

TEST_F(LogTest, DeletePrefixMayStopWithinABatch) {
  ASSERT_TRUE(Append("a", 10).ok());
  ASSERT_TRUE(log_->DeletePrefix(Offset(4)).ok());
  EXPECT_EQ(Get(3).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(*Get(4), "a");
  Reopen();
  EXPECT_EQ(log_->start_offset(), Offset(4));
  EXPECT_EQ(log_->DeletePrefix(Offset(11)).code(), absl::StatusCode::kOutOfRange);
}

// The log was taken for one that had lost its end, and not opened.
TEST_F(LogTest, RotInWhatTheStartPassedOverIsNoTornTail) {
  env::SimFileSystem disk(1);
  OpenOn(disk);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Append("value").ok());
  ASSERT_TRUE(log_->DeletePrefix(Offset(3)).ok());
  const auto crashed = disk.CrashImage(env::CrashChoice::DropAll());
  log_.reset();
  const std::string path = "/log/" + StoreFileName(Offset(0));
  ASSERT_TRUE(crashed->FlipBit(path, 8 * (crashed->Stat(path)->size_bytes - 2)).ok());
  const auto opened = Log::Open(*crashed, clock_, options_, report_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ((*opened)->start_offset(), Offset(3));
  EXPECT_EQ((*opened)->end_offset(), Offset(3));
  EXPECT_EQ((*opened)->end_index(), Index(4));
}

// An index that could not be read was taken for one that is not there, and the empty segment behind
// it for a roll that had failed: the log had lost its end.
TEST_F(LogTest, AnOpeningThatFailsAnywhereTakesNothingAway) {
  options_.segment_ms = 1000;
  env::SimFileSystem disk(1);
  OpenOn(disk);
  for (int i = 0; i < 150; ++i) ASSERT_TRUE(Append(std::string(1000, 'x')).ok());
  clock_.now_ms += options_.segment_ms;
  ASSERT_TRUE(log_->ApplyRetention({}, log_->end_offset()).ok());
  const size_t segments = log_->segment_count();
  ASSERT_GE(segments, 3u);
  log_.reset();
  const auto healthy = disk.KillImage();
  ASSERT_TRUE(Log::Open(*healthy, clock_, options_, report_).ok());
  for (uint64_t call = 1; call <= healthy->call_count(); ++call) {
    const auto copy = disk.KillImage();
    copy->FailCall(call, env::SimFault::kIoError);
    RecoveryReport report;
    Log::Open(*copy, clock_, options_, report).status().IgnoreError();  // some it does without
    copy->ClearFaults();
    const auto opened = Log::Open(*copy, clock_, options_, report);
    ASSERT_TRUE(opened.ok()) << opened.status() << " after call " << call << " failed";
    EXPECT_EQ((*opened)->end_offset(), Offset(150)) << call;
    EXPECT_EQ((*opened)->segment_count(), segments) << call;
    EXPECT_TRUE(report.damages.empty()) << call;
  }
}

TEST_F(LogTest, ASegmentThatTheDiskDoesNotLetGoIsRemovedLater) {
  env::SimFileSystem disk(1);
  OpenOn(disk);
  const auto store_files = [&] {
    const auto names = *disk.List("/log");
    return std::count_if(names.begin(), names.end(),
                         [](const auto& entry) { return ParseStoreFileName(entry.name); });
  };
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(Append(std::string(1000, 'x')).ok());
  ASSERT_GT(store_files(), 4);
  disk.FailNext(env::SimOp::kRemoveFile, StoreFileName(Offset(0)), env::SimFault::kIoError);
  EXPECT_FALSE(log_->DeletePrefix(log_->end_offset()).ok());
  EXPECT_EQ(log_->segment_count(), 1u);
  EXPECT_EQ(store_files(), 2) << "the others went";
  ASSERT_TRUE(Append("next").ok());
  ASSERT_TRUE(log_->ApplyRetention({}, log_->end_offset()).ok());
  EXPECT_EQ(store_files(), 1);
  log_.reset();
}

TEST_F(LogTest, ATornTailIsCutAndTheLogGoesOn) {
  ASSERT_TRUE(Append("first").ok());
  const auto size = fs_->Stat(StorePath(0))->size_bytes;
  const Entry entry = Next("second");
  ASSERT_TRUE(log_->Write({&entry, 1}).ok());  // not synced: not acknowledged
  const auto with_second = fs_->Stat(StorePath(0))->size_bytes;
  log_.reset();
  auto file = fs_->Open(StorePath(0), env::OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->Truncate(with_second - 1).ok());
  Reopen();
  EXPECT_TRUE(report_.damages.empty());
  EXPECT_EQ(report_.torn_bytes, with_second - 1 - size);
  EXPECT_EQ(log_->end_offset(), Offset(1));
  ASSERT_TRUE(Append("third").ok());
  EXPECT_EQ(*Get(1), "third");
}

TEST_F(LogTest, RotIsReportedAndNeverCutAndTheRestIsServed) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Append("value " + std::to_string(i), 2).ok());
  log_.reset();
  FlipBit(StorePath(0), static_cast<std::streamoff>(kStoreHeaderBytes + kEntryHeaderBytes + 5));
  fs_->RemoveFile(directory_.Join(IndexFileName(Offset(0)))).IgnoreError();
  Reopen();
  ASSERT_EQ(report_.damages.size(), 1u);
  EXPECT_EQ(report_.damages[0].first_offset, Offset(0));
  EXPECT_EQ(report_.damages[0].end_offset, Offset(2));
  EXPECT_NE(report_.damages[0].what.find("expected"), std::string::npos);
  EXPECT_EQ(Get(0).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Get(1).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(base::GetErrorInfo(Get(1).status())->reason, "DAMAGED_LOG");
  EXPECT_EQ(*Get(2), "value 1");
  ASSERT_TRUE(Append("next").ok());
  EXPECT_EQ(*Get(6), "next");
}

TEST_F(LogTest, ARottenLastEntryIsKnownByTheDurableMark) {
  ASSERT_TRUE(Append("first").ok());
  const auto before = fs_->Stat(StorePath(0))->size_bytes;
  ASSERT_TRUE(Append("second", 3).ok());
  log_.reset();
  FlipBit(StorePath(0), static_cast<std::streamoff>(before) + 10);  // in the entry's header
  Reopen();
  ASSERT_EQ(report_.damages.size(), 1u);
  EXPECT_EQ(report_.damages[0].first_offset, Offset(1));
  EXPECT_EQ(report_.damages[0].end_offset, Offset(4));
  EXPECT_EQ(log_->end_offset(), Offset(4));
  EXPECT_EQ(Get(2).status().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(Append("fourth").ok());
  EXPECT_EQ(*Get(4), "fourth");
  EXPECT_EQ(*Get(0), "first");
  Reopen();
  EXPECT_EQ(Get(2).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(*Get(4), "fourth");
}

TEST_F(LogTest, ASealedSegmentCanBeCut) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(Append(std::string(1000, 'x')).ok());
  ASSERT_GE(log_->segment_count(), 3u);
  // Its index was trimmed when it was sealed, so the file is shorter than its mapping.
  ASSERT_TRUE(log_->TruncateSuffix(Index(20)).ok());
  EXPECT_EQ(log_->segment_count(), 1u);
  EXPECT_EQ(log_->end_index(), Index(20));
  ASSERT_TRUE(Append("next").ok());
  EXPECT_EQ(*Get(19), "next");
}

TEST_F(LogTest, AMissingSegmentInTheMiddleIsNamedAndTheRestServed) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(Append(std::string(1000, 'x')).ok());
  ASSERT_TRUE(log_->Close().ok());
  log_.reset();
  const std::vector<uint64_t> bases = StoreBases();
  ASSERT_GE(bases.size(), 4u);
  ASSERT_TRUE(fs_->RemoveFile(StorePath(bases[1])).ok());
  Reopen();
  ASSERT_EQ(report_.damages.size(), 1u);
  EXPECT_EQ(report_.damages[0].first_offset, Offset(bases[1]));
  EXPECT_EQ(report_.damages[0].end_offset, Offset(bases[2]));
  EXPECT_EQ(Get(bases[1]).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Get(bases[2]).ok());
  EXPECT_TRUE(Get(bases[1] - 1).ok());
}

TEST_F(LogTest, AMissingLastSegmentIsAnErrorNotAShorterLog) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(Append(std::string(1000, 'x')).ok());
  ASSERT_TRUE(log_->Close().ok());
  log_.reset();
  ASSERT_TRUE(fs_->RemoveFile(StorePath(StoreBases().back())).ok());
  RecoveryReport report;
  EXPECT_EQ(Log::Open(*fs_, clock_, options_, report).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LogTest, AForeignStoreFileIsRefusedWithBothIdentities) {
  log_.reset();
  options_.topic_id = base::Uuid::FromRandom(9, 9);
  RecoveryReport report;
  const auto opened = Log::Open(*fs_, clock_, options_, report);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(opened.status().ToString().find(options_.topic_id.ToString()), std::string::npos);
}

TEST_F(LogTest, StrayFilesAreLeftAloneAndNoted) {
  std::ofstream(directory_.Join("notes.txt")) << "mine";
  Reopen();
  ASSERT_EQ(report_.notes.size(), 1u);
  EXPECT_NE(report_.notes[0].find("notes.txt"), std::string::npos);
  EXPECT_TRUE(fs_->Stat(directory_.Join("notes.txt")).ok());
}

TEST_F(LogTest, SeveralReadersBesideOneWriterSeeOnlyWholeRecords) {
  std::atomic<uint64_t> committed{0};
  std::atomic<bool> done{false};
  std::atomic<int> failures{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&, r] {
      uint64_t at = 0;
      while (!done || at < committed) {
        const Offset limit(committed.load());
        const auto entries = log_->Read(Offset(at), limit, r == 0 ? 1 : 100'000);
        if (!entries.ok()) {
          ++failures;
          return;
        }
        for (const Entry& entry : *entries) {
          if (entry.header.base_offset != Offset(at)) ++failures;
          at = entry.header.end_offset().value();
        }
        if (entries->empty()) std::this_thread::yield();
      }
    });
  }
  for (int i = 0; i < 500; ++i) {
    const Entry entry = Next(std::string(static_cast<size_t>(i * 7 % 3000), 'x'), 3);
    if (!log_->Write({&entry, 1}).ok()) ++failures;
    committed = log_->end_offset().value();
  }
  done = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(failures, 0);
}

// ---- the ancestor's faults that concern the log, by their letter in its list ----

TEST_F(LogTest, AncestorFaultA_ResetStartsAnEmptyLogAtTheGivenPlace) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(std::string(1000, 'x')).ok());
  ASSERT_TRUE(log_->Reset({.offset = Offset(5000), .index = Index(77), .term = Term(3)}).ok());
  EXPECT_EQ(log_->start_offset(), Offset(5000));
  EXPECT_EQ(log_->end_offset(), Offset(5000));
  EXPECT_EQ(log_->end_index(), Index(77));
  term_ = Term(3);
  ASSERT_TRUE(Append("after").ok());
  Reopen();
  EXPECT_EQ(*Get(5000), "after");
  EXPECT_EQ(Get(4999).status().code(), absl::StatusCode::kOutOfRange);
  ASSERT_TRUE(log_->Reset({.offset = Offset(10), .index = Index(2)}).ok());
  term_ = Term(1);
  ASSERT_TRUE(Append("back").ok());
  Reopen();
  EXPECT_EQ(*Get(10), "back");
}

TEST_F(LogTest, AncestorFaultB_TheIndexLeftByAKillIsNotTrusted) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Append("value " + std::to_string(i)).ok());
  Reopen();  // without Close: the index file is longer than what was used
  EXPECT_EQ(log_->end_offset(), Offset(5));
  EXPECT_EQ(*Get(3), "value 3");
  EXPECT_TRUE(Append("value 5").ok());
  EXPECT_EQ(*Get(5), "value 5");
}

TEST_F(LogTest, AncestorFaultC_AnAcknowledgedAppendIsInTheFile) {
  const auto empty = fs_->Stat(StorePath(0))->size_bytes;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Append("value").ok());
  EXPECT_GE(fs_->Stat(StorePath(0))->size_bytes, empty + 5 * (kEntryHeaderBytes + 5));
}

TEST_F(LogTest, AncestorFaultD_TruncatingASuffixKeepsThePrefix) {
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(Append(std::to_string(i) + std::string(1000, '.')).ok());
  for (const uint64_t from : {200u, 150u, 149u, 64u, 3u}) {
    ASSERT_TRUE(log_->TruncateSuffix(Index(from)).ok());
    EXPECT_EQ(log_->end_index(), Index(from));
    EXPECT_EQ(log_->end_offset(), Offset(from - 1));
    EXPECT_EQ(log_->first_index(), Index(1));
    EXPECT_TRUE(Get(from - 2).ok());
    ASSERT_TRUE(Append("replaced").ok());
    EXPECT_EQ(*Get(from - 1), "replaced");
    Reopen();
    EXPECT_TRUE(report_.damages.empty());
    EXPECT_EQ(log_->end_index(), Index(from + 1));
    EXPECT_EQ(*Get(from - 1), "replaced");
    ASSERT_TRUE(log_->TruncateSuffix(Index(from)).ok());
  }
  EXPECT_EQ(log_->TruncateSuffix(Index(0)).code(), absl::StatusCode::kOutOfRange);
}

TEST_F(LogTest, AncestorFaultE_AppendsContinueBehindTheIndexOfAReset) {
  ASSERT_TRUE(log_->Reset({.offset = Offset(100), .index = Index(500), .term = Term(2)}).ok());
  term_ = Term(2);
  ASSERT_TRUE(Append("x").ok());
  const auto entries = log_->ReadByIndex(Index(500), Index(501), 1);
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ(entries->front().header.index, Index(500));
  EXPECT_EQ(entries->front().header.base_offset, Offset(100));
}

TEST_F(LogTest, AncestorFaultO_DeletingAPrefixKeepsTheActiveSegment) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(std::string(1000, 'x')).ok());
  ASSERT_TRUE(log_->DeletePrefix(log_->end_offset()).ok());
  EXPECT_EQ(log_->segment_count(), 1u);
  ASSERT_TRUE(Append("alive").ok());
  EXPECT_EQ(*Get(100), "alive");
}

}  // namespace
}  // namespace cairn::log
