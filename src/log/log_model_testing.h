// A log and what must be true of it, for tests over a simulated disk: drives a Log through random
// operations and keeps beside it, as plain vectors, what any crash must leave behind. For tests
// only.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/files.h"
#include "env/sim_clock.h"
#include "env/sim_file_system.h"
#include "env/sim_random.h"
#include "log/log.h"
#include "log/records.h"

namespace cairn::log {

// What a log may hold: entries [first, required_end) certainly, and of [required_end, optional_end)
// any prefix.
struct Expectation {
  std::map<uint64_t, Entry> entries;  // by index
  uint64_t required_end = 1;
  uint64_t optional_end = 1;
  uint64_t start_offset = 0;      // the log begins here …
  uint64_t new_start_offset = 0;  // … or, while a deletion is under way or has failed, up to here
};

// Compares everything that `log` serves with what is expected. Empty, or what differs.
inline std::string Compare(const Log& log, const Expectation& expected) {
  const uint64_t end = log.end_index().value();
  if (end < expected.required_end || end > expected.optional_end) {
    return "ends at index " + std::to_string(end) + ", expected " +
           std::to_string(expected.required_end) + " to " + std::to_string(expected.optional_end);
  }
  const uint64_t start = log.start_offset().value();
  if (start < expected.start_offset || start > expected.new_start_offset) {
    return "starts at offset " + std::to_string(start);
  }
  for (Index at = log.first_index(); at < log.end_index();) {
    const auto entries = log.ReadByIndex(at, log.end_index(), 64 << 10);
    if (!entries.ok()) return entries.status().ToString();
    if (entries->empty()) return "nothing at index " + std::to_string(at.value());
    for (const Entry& entry : *entries) {
      const auto it = expected.entries.find(at.value());
      if (it == expected.entries.end()) return "an index that was never written";
      EntryHeader wanted = it->second.header;
      wanted.durable_bytes = entry.header.durable_bytes;
      if (entry.header != wanted || entry.body() != it->second.body()) {
        return "another entry at index " + std::to_string(at.value());
      }
      ++at;
    }
  }
  // The same by offset.
  for (Offset at = log.start_offset(); at < log.end_offset();) {
    const auto entries = log.Read(at, log.end_offset(), 64 << 10);
    if (!entries.ok()) return entries.status().ToString();
    if (entries->empty()) return "nothing at offset " + std::to_string(at.value());
    for (const Entry& entry : *entries) {
      if (entry.header.base_offset > at || entry.header.end_offset() <= at)
        return "offsets not dense";
      at = entry.header.end_offset();
    }
  }
  return "";
}

class LogUnderTest {
 public:
  LogUnderTest(env::SimFileSystem& fs, uint64_t seed) : fs_(fs), random_(seed) {
    options_.directory = "/log";
    options_.topic_id = base::Uuid::FromRandom(seed, 1);
    options_.segment_bytes = 64 << 10;
    EXPECT_TRUE(fs_.CreateDir("/log").ok());
    EXPECT_TRUE(fs_.SyncDir("/").ok());
    EXPECT_TRUE(Log::Create(fs_, clock_, options_).ok());
    Open();
  }

  // Opens `fs` (this one or an image of it) as the log would be found.
  absl::StatusOr<std::unique_ptr<Log>> OpenIn(env::FileSystem& fs, RecoveryReport& report) {
    return Log::Open(fs, clock_, options_, report);
  }

  void Open() {
    log_.reset();
    RecoveryReport report;
    auto opened = OpenIn(fs_, report);
    if (!opened.ok()) {
      // Only a fault that the test planted may keep the log from opening; without it, it opens.
      fs_.ClearFaults();
      report = {};
      opened = OpenIn(fs_, report);
    }
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_TRUE(report.damages.empty()) << Describe(report.damages[0]);
    log_ = *std::move(opened);
    ASSERT_EQ(Compare(*log_, expected_), "");
    // What was found is durable now.
    expected_.required_end = expected_.optional_end = log_->end_index().value();
    expected_.entries.erase(expected_.entries.lower_bound(expected_.required_end),
                            expected_.entries.end());
    expected_.start_offset = expected_.new_start_offset = log_->start_offset().value();
    term_ = std::max<int32_t>(1, log_->last_term().value());
  }

  // One random operation. The expectation holds before, during and after it.
  void Step() {
    if (log_->failed()) return Open();
    switch (Below(20)) {
      case 0:
        return Truncate();
      case 1:
        return DeletePrefix();
      case 2:
        clock_.SetWallMs(clock_.WallMs() + static_cast<int64_t>(Below(10'000)) - 3'000);
        return Close();
      case 3:
        return Open();  // as after a kill: nothing lost, nothing closed
      case 4:
        term_ += Below(2) == 0 ? 1 : 0;
        return Append(1, /*barrier=*/true);
      default:
        Append(1 + Below(4), false);
        if (Below(3) != 0) Sync();
    }
  }

  Log& log() { return *log_; }
  const Expectation& expected() const { return expected_; }
  uint64_t Below(uint64_t n) { return random_.Next() % n; }

 private:
  void Append(uint64_t count, bool barrier) {
    std::vector<Entry> entries;
    Index index = log_->end_index();
    Offset offset = log_->end_offset();
    for (uint64_t i = 0; i < count; ++i) {
      if (barrier) {
        entries.push_back(MakeControlEntry(EntryKind::kBarrier, "", index, Term(term_), offset, 1));
      } else {
        BatchBuilder builder;
        const uint64_t records = 1 + Below(3);
        for (uint64_t r = 0; r < records; ++r) {
          // Bytes that look like entries must not be taken for some: half of the values hold a
          // magic.
          std::string value(Below(8) == 0 ? Below(20'000) : Below(600), 'a');
          if (Below(2) == 0) value += "crn1" + std::to_string(random_.Next());
          builder.Add(std::nullopt, value, 1'000 + static_cast<int64_t>(Below(1'000)));
        }
        entries.push_back(MakeBatchEntry(builder.Take(), index, Term(term_), offset));
      }
      offset = entries.back().header.end_offset();
      ++index;
    }
    for (const Entry& entry : entries) expected_.entries[entry.header.index.value()] = entry;
    expected_.optional_end = index.value();
    const absl::Status written = log_->Write(entries);
    if (!written.ok() && !log_->failed()) {
      // Nothing of it is stored. What was durable before in a segment that was rolled stays.
      expected_.optional_end = log_->end_index().value();
      expected_.required_end = std::min(expected_.required_end, expected_.optional_end);
    }
  }

  void Sync() {
    if (log_->Sync().ok()) expected_.required_end = log_->end_index().value();
  }

  void Truncate() {
    const uint64_t first = log_->first_index().value();
    const uint64_t end = log_->end_index().value();
    if (end == first) return;
    uint64_t from = end - Below(std::min<uint64_t>(end - first, 12) + 1);
    // Never below the start of the log, known or attempted: only what is committed is deleted.
    while (from < end &&
           expected_.entries.at(from).header.base_offset.value() < expected_.new_start_offset) {
      ++from;
    }
    if (from == end) return;  // nothing to cut, nothing is synced
    expected_.required_end = std::min(expected_.required_end, from);
    if (log_->TruncateSuffix(Index(from)).ok()) {
      expected_.required_end = expected_.optional_end = log_->end_index().value();
      expected_.entries.erase(expected_.entries.lower_bound(from), expected_.entries.end());
    }
  }

  void DeletePrefix() {
    Sync();  // only committed records are deleted
    if (log_->failed() || expected_.required_end != log_->end_index().value()) return;
    const uint64_t start = log_->start_offset().value();
    const uint64_t target = start + Below(log_->end_offset().value() - start + 1);
    expected_.new_start_offset = std::max(expected_.new_start_offset, target);
    if (log_->DeletePrefix(Offset(target)).ok() && target > start) {
      expected_.start_offset = expected_.new_start_offset = target;
    }
  }

  void Close() {
    if (!log_->Close().ok()) return;
    expected_.required_end = log_->end_index().value();
    Open();
  }

  env::SimFileSystem& fs_;
  env::SimRandom random_;
  env::SimClock clock_;
  LogOptions options_;
  std::unique_ptr<Log> log_;
  Expectation expected_;
  int32_t term_ = 1;
};

}  // namespace cairn::log
