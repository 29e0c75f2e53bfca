// A small log of every kind of entry, and the judge of what a damaged copy of it may answer. For
// tests only.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error_info.h"
#include "env/files.h"
#include "env/sim_clock.h"
#include "env/sim_file_system.h"
#include "log/compression.h"
#include "log/log.h"
#include "log/log_repair_testing.h"
#include "log/records.h"

namespace cairn::log {

enum class LogEnd {
  kClosed,    // cleanly
  kKilled,    // the process died; everything had been synced
  kUnsynced,  // the process died; the last entries had been written and not synced
};

inline std::string NameOfEnd(const ::testing::TestParamInfo<LogEnd>& end) {
  constexpr const char* kNames[] = {"Closed", "Killed", "Unsynced"};
  return kNames[static_cast<size_t>(end.param)];
}

// What a judgement found. `problem` is empty when everything is as it must be.
struct Judgement {
  std::string problem;
  absl::Status open;                // why the log did not open
  uint64_t unreadable = 0;          // offsets that answer DATA_LOSS
  uint64_t unreadable_entries = 0;  // indexes that do
  std::vector<bool> readable;       // by index, from 1
};

// Three segments: two sealed, one active. `scale` is the number of times that the entries are
// repeated.
class DamageableLog {
 public:
  static constexpr const char* kDirectory = "/log";

  DamageableLog(LogEnd end, int scale) : fs_(1), options_(MakeOptions()) {
    EXPECT_TRUE(fs_.CreateDir(kDirectory).ok());
    EXPECT_TRUE(fs_.SyncDir("/").ok());
    EXPECT_TRUE(Log::Create(fs_, clock_, options_).ok());
    RecoveryReport report;
    auto log = Log::Open(fs_, clock_, options_, report).value();
    for (int segment = 0; segment < 3; ++segment) {
      if (segment > 0) clock_.SetWallMs(clock_.WallMs() + kSegmentMs);  // the next write rolls
      for (int i = 0; i < scale; ++i) {
        const int first_term = i == 0 ? segment + 1 : segment + 2;
        Append(*log, Batch(3, Codec::kNone), first_term);
        Append(*log, Batch(2, Codec::kZstd), first_term);
        Append(*log, std::nullopt, segment + 2);
        Append(*log, Batch(1, Codec::kLz4), segment + 2);
      }
      EXPECT_TRUE(log->Sync().ok());
    }
    EXPECT_EQ(log->segment_count(), 3u);
    acknowledged_end_ = log->end_index();
    if (end == LogEnd::kUnsynced) Append(*log, Batch(2, Codec::kNone), kLastTerm);
    end_offset_ = log->end_offset();
    terms_ = *log->Terms();
    if (end == LogEnd::kClosed) {
      EXPECT_TRUE(log->Close().ok());
    }
  }

  // A copy as the process left it, to be damaged.
  std::unique_ptr<env::SimFileSystem> Copy() const { return fs_.KillImage(); }

  // Every file of the log, with its path.
  std::vector<std::string> Files() {
    std::vector<std::string> files;
    const auto names = fs_.List(kDirectory);
    for (const auto& entry : *names) {
      files.push_back(env::JoinPath(kDirectory, entry.name));
    }
    return files;
  }
  uint64_t SizeOf(const std::string& path) { return fs_.Stat(path)->size_bytes; }
  // The store and the index of the active segment.
  std::string last_store() { return LastWith(".store"); }
  std::string last_index() { return LastWith(".index"); }

  // Opens the log in `fs` and compares all that it serves with what was written: each offset and
  // index answers with its entry or with DATA_LOSS, the log is not shorter than what was
  // acknowledged, an append goes behind all that or is refused, and the next opening finds the
  // same.
  Judgement Judge(env::SimFileSystem& fs) {
    Judgement judgement;
    RecoveryReport report;
    auto opened = Log::Open(fs, clock_, options_, report);
    if (!opened.ok()) {
      judgement.open = opened.status();
      if (opened.status().message().find(kDirectory) == absl::string_view::npos) {
        judgement.problem = "an error that names no file: " + opened.status().ToString();
      }
      return judgement;
    }
    Log& log = **opened;
    judgement.problem = Compare(log, judgement);
    if (!judgement.problem.empty()) return judgement;
    Entry added = MakeBatchEntry(Batch(1, Codec::kNone), log.end_index(),
                                 std::max(log.last_term(), Term(kLastTerm)), log.end_offset());
    if (!log.Write({&added, 1}).ok() || !log.Sync().ok()) return judgement;  // refused
    judgement.problem = CompareAdded(log, added, judgement.readable, "after an append");
    if (!judgement.problem.empty()) return judgement;
    opened->reset();
    RecoveryReport again;
    opened = Log::Open(fs, clock_, options_, again);
    if (!opened.ok()) {
      judgement.problem = "does not open after an append: " + opened.status().ToString();
      return judgement;
    }
    judgement.problem = CompareAdded(**opened, added, judgement.readable, "opened after an append");
    return judgement;
  }

  // Opens the log in `fs`, meets its damage by reading all of it, and repairs it from an undamaged
  // copy. Then, and after another opening, every entry is there and nothing is known to be lost.
  Judgement JudgeRepair(env::SimFileSystem& fs) {
    Judgement judgement;
    RecoveryReport report;
    auto opened = Log::Open(fs, clock_, options_, report);
    if (!opened.ok()) {
      judgement.open = opened.status();
      return judgement;
    }
    judgement.problem = Compare(**opened, judgement);
    if (!judgement.problem.empty()) return judgement;
    const auto healthy_fs = Copy();
    RecoveryReport of_healthy;
    const auto healthy = Log::Open(*healthy_fs, clock_, options_, of_healthy).value();
    const absl::Status repaired = Repair(fs, **opened, *healthy);
    if (!repaired.ok()) {
      judgement.problem = "not repaired: " + repaired.ToString();
      return judgement;
    }
    for (const std::string_view when : {"repaired", "opened again"}) {
      Judgement after;
      judgement.problem = Compare(**opened, after);
      if (judgement.problem.empty() && after.unreadable_entries + after.unreadable > 0) {
        judgement.problem = "entries are missing";
      }
      if (judgement.problem.empty() && (*opened)->damaged()) judgement.problem = "damage is known";
      if (!judgement.problem.empty()) {
        judgement.problem += std::string(", ") + std::string(when);
        return judgement;
      }
      if (when != "repaired") break;
      opened->reset();
      RecoveryReport again;
      opened = Log::Open(fs, clock_, options_, again);
      if (!opened.ok()) {
        judgement.problem = "does not open after the repair: " + opened.status().ToString();
        return judgement;
      }
    }
    return judgement;
  }

 private:
  static constexpr int kLastTerm = 9;
  static constexpr int64_t kSegmentMs = 1'000'000;

  static LogOptions MakeOptions() {
    LogOptions options;
    options.directory = kDirectory;
    options.topic_id = base::Uuid::FromRandom(3, 4);
    options.segment_bytes = 64 << 10;
    options.segment_ms = kSegmentMs;
    return options;
  }

  std::string LastWith(std::string_view suffix) {
    std::string last;
    for (const std::string& path : Files()) {
      if (path.ends_with(suffix)) last = std::max(last, path);
    }
    return last;
  }

  log::Batch Batch(int records, Codec codec) {
    BatchBuilder builder;
    for (int i = 0; i < records; ++i) {
      timestamp_ms_ += 7;
      builder.Add("k", "crn1 value " + std::string(60, 'v') + std::to_string(timestamp_ms_),
                  timestamp_ms_);
    }
    log::Batch batch = builder.Take();
    EXPECT_TRUE(CompressBatch(batch, codec).ok());
    return batch;
  }

  // A batch, or without one a barrier.
  void Append(Log& log, std::optional<log::Batch> batch, int term) {
    Entry entry =
        batch ? MakeBatchEntry(*std::move(batch), log.end_index(), Term(term), log.end_offset())
              : MakeControlEntry(EntryKind::kBarrier, "", log.end_index(), Term(term),
                                 log.end_offset(), timestamp_ms_);
    EXPECT_TRUE(log.Write({&entry, 1}).ok());
    entries_.push_back(std::move(entry));
  }

  static bool Same(const Entry& a, const Entry& b) {
    EntryHeader header = a.header;
    header.durable_bytes = b.header.durable_bytes;
    return header == b.header && a.body() == b.body();
  }

  static std::string At(std::string_view what, uint64_t where) {
    return std::string(what) + " at " + std::to_string(where);
  }

  std::string Compare(const Log& log, Judgement& judgement) const {
    const uint64_t end = log.end_index().value();
    if (end < acknowledged_end_.value()) return At("the log ends early,", end);
    // Behind a rotten tail the log may go on where the acknowledged part ends.
    if (end > entries_.size() + 1) return At("the log ends late,", end);
    const Offset end_offset =
        end > entries_.size() ? end_offset_ : entries_[end - 1].header.base_offset;
    if (log.end_offset() != end_offset) return At("wrong end offset", log.end_offset().value());
    if (log.start_offset() != Offset(0)) return At("wrong start", log.start_offset().value());

    // Each index and each offset by itself, then everything in one sweep.
    for (Index at(1); at < log.end_index(); ++at) {
      const auto read = log.ReadByIndex(at, log.end_index(), 1);
      judgement.readable.push_back(read.ok());
      if (!read.ok()) {
        // Where the first segments are missing nothing says which indexes they held.
        const bool before = at < log.first_index() && absl::IsOutOfRange(read.status());
        if (!before && !absl::IsDataLoss(read.status())) return read.status().ToString();
        ++judgement.unreadable_entries;
        continue;
      }
      if (read->empty()) return At("nothing by index", at.value());
      if (!Same(read->front(), entries_[at.value() - 1])) return At("another entry", at.value());
    }
    for (Offset at(0); at < log.end_offset(); ++at) {
      const auto read = log.Read(at, log.end_offset(), 1);
      if (!read.ok()) {
        if (!absl::IsDataLoss(read.status())) return read.status().ToString();
        const auto info = base::GetErrorInfo(read.status());
        if (!info || info->reason != base::reason::kDamagedLog)
          return "no reason " + read.status().ToString();
        ++judgement.unreadable;
        continue;
      }
      if (read->empty()) return At("nothing by offset", at.value());
      if (!Same(read->front(), EntryOf(at))) return At("another batch by offset", at.value());
    }
    std::string problem = CompareSweep(log);
    if (problem.empty()) problem = CompareTimestamps(log);
    if (problem.empty() && judgement.unreadable_entries == 0) problem = CompareTerms(log);
    return problem;
  }

  std::string CompareSweep(const Log& log) const {
    for (Offset at(0); at < log.end_offset();) {
      const auto read = log.Read(at, log.end_offset(), 1 << 20);
      if (!read.ok()) {
        ++at;
        continue;
      }
      for (const Entry& entry : *read) {
        if (!Same(entry, EntryOf(at))) return At("a sweep skips or changes a batch", at.value());
        at = entry.header.end_offset();
      }
    }
    return "";
  }

  // A lookup by time never passes over records in silence.
  std::string CompareTimestamps(const Log& log) const {
    for (Offset at(0); at < log.end_offset(); ++at) {
      const int64_t timestamp = kFirstTimestamp + 7 * (static_cast<int64_t>(at.value()) + 1);
      const auto found = log.OffsetForTimestamp(timestamp, log.end_offset());
      if (found.ok() ? *found != at : !absl::IsDataLoss(found.status())) {
        return At("wrong offset by time", at.value()) +
               (found.ok() ? ": " + std::to_string(found->value()) : found.status().ToString());
      }
    }
    return "";
  }

  std::string CompareTerms(const Log& log) const {
    const auto found = log.Terms();
    if (!found.ok()) return found.status().ToString();
    const auto& terms = *found;
    for (size_t i = 0; i < terms_.size(); ++i) {
      if (terms_[i].first_index >= log.end_index()) break;
      if (i >= terms.size() || terms[i].term != terms_[i].term ||
          terms[i].first_index != terms_[i].first_index) {
        return At("the list of terms is wrong", i);
      }
    }
    return "";
  }

  std::string CompareAdded(const Log& log, const Entry& added, const std::vector<bool>& before,
                           const std::string& when) const {
    for (size_t i = 0; i < before.size(); ++i) {
      const Index at(i + 1);
      const auto read = log.ReadByIndex(at, at + 1, 1);
      if (read.ok() != before[i]) return when + At(" another outcome", at.value());
      if (read.ok() && !Same(read->front(), entries_[i]))
        return when + At(" another entry", at.value());
    }
    const auto read = log.Read(added.header.base_offset, log.end_offset(), 1);
    if (!read.ok()) return when + " the new batch is lost: " + read.status().ToString();
    if (read->empty() || !Same(read->front(), added)) return when + " the new batch is another";
    return "";
  }

  const Entry& EntryOf(Offset offset) const {
    for (const Entry& entry : entries_) {
      if (entry.header.base_offset <= offset && offset < entry.header.end_offset()) return entry;
    }
    ADD_FAILURE() << "no entry holds offset " << offset;
    return entries_.front();
  }

  static constexpr int64_t kFirstTimestamp = 1'000'000;

  env::SimFileSystem fs_;
  env::SimClock clock_;
  const LogOptions options_;
  std::vector<Entry> entries_;  // by index, from 1
  Index acknowledged_end_;
  Offset end_offset_;
  std::vector<TermStart> terms_;
  int64_t timestamp_ms_ = kFirstTimestamp;
};

}  // namespace cairn::log
