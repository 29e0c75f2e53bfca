// What the log costs over the bare file system, in one run: append with and without fdatasync
// beside bare pwrite loops of the same sizes, encoding, and replay from the page cache. The runs
// without fdatasync stay within one segment: rolling to the next one syncs the last.
//
//   build/dev/bin/log_bench [--dir DIR]      DIR is on the file system to be measured; default:
//   .
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/malloc_tuning.h"
#include "base/strings.h"
#include "env/files.h"
#include "env/posix.h"
#include "log/log.h"
#include "log/records.h"

namespace cairn::log {
namespace {

using Seconds = std::chrono::duration<double>;
constexpr int kRuns = 5;

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

double Time(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return Seconds(std::chrono::steady_clock::now() - start).count();
}

struct Bench {
  std::unique_ptr<env::FileSystem> fs = env::NewPosixFileSystem();
  std::string directory;

  Batch MakeBatch(size_t records, size_t bytes) const {
    BatchBuilder builder;
    builder.Reserve(records * MaxEncodedRecordSize(0, bytes));
    const std::string value(bytes, 'x');
    for (size_t i = 0; i < records; ++i) builder.Add(std::nullopt, value, 1'700'000'000'000);
    return builder.Take();
  }

  std::unique_ptr<Log> FreshLog() const {
    Must(env::RemoveTree(*fs, directory));
    Must(env::CreateDirs(*fs, directory));
    LogOptions options;
    options.directory = directory;
    options.topic_id = base::Uuid::FromRandom(1, 2);
    Must(Log::Create(*fs, env::SystemClock(), options));
    RecoveryReport report;
    auto log = Log::Open(*fs, env::SystemClock(), options, report);
    Must(log.status());
    return *std::move(log);
  }

  // MB/s of `count` appends of `bytes`, through the log or bare.
  double AppendLog(int count, size_t records, size_t bytes, bool sync) const {
    const auto log = FreshLog();
    // The same batch again and again, as the bare loop writes the same block; its CRC is computed
    // each time.
    Entry entry = MakeBatchEntry(MakeBatch(records, bytes), Index(1), Term(1), Offset(0));
    uint64_t total = 0;
    const double seconds = Time([&] {
      for (int i = 0; i < count; ++i) {
        entry.header.index = log->end_index();
        entry.header.base_offset = log->end_offset();
        entry.header.body_crc = base::Crc32c(entry.body());
        total += entry.size_bytes();
        Must(log->Write({&entry, 1}));
        if (sync) Must(log->Sync());
      }
    });
    return static_cast<double>(total) / seconds / 1e6;
  }

  double AppendBare(int count, size_t bytes, bool sync) const {
    Must(env::RemoveTree(*fs, directory));
    Must(env::CreateDirs(*fs, directory));
    auto file = fs->Open(env::JoinPath(directory, "bare"), env::OpenMode::kCreate);
    Must(file.status());
    const std::string block(bytes, 'x');
    const std::string_view buffers[] = {block};
    const double seconds = Time([&] {
      for (int i = 0; i < count; ++i) {
        Must((*file)->WriteAt(static_cast<uint64_t>(i) * bytes, buffers));
        if (sync) Must((*file)->Sync());
      }
    });
    return static_cast<double>(bytes) * count / seconds / 1e6;
  }

  // Millions of records per second.
  double EncodeAndAppend(int count, size_t records, size_t bytes) const {
    const auto log = FreshLog();
    const std::string value(bytes, 'x');
    const double seconds = Time([&] {
      BatchBuilder builder;
      for (int i = 0; i < count; ++i) {
        builder.Reserve(records * MaxEncodedRecordSize(0, bytes));
        for (size_t r = 0; r < records; ++r) builder.Add(std::nullopt, value, 1'700'000'000'000);
        const Entry entry =
            MakeBatchEntry(builder.Take(), log->end_index(), Term(1), log->end_offset());
        Must(log->Write({&entry, 1}));
      }
    });
    return static_cast<double>(records) * count / seconds / 1e6;
  }

  double Replay(int count, size_t records, size_t bytes) const {
    const auto log = FreshLog();
    for (int i = 0; i < count; ++i) {
      const Entry entry =
          MakeBatchEntry(MakeBatch(records, bytes), log->end_index(), Term(1), log->end_offset());
      Must(log->Write({&entry, 1}));
    }
    uint64_t seen = 0;
    const double seconds = Time([&] {
      for (Offset at; at < log->end_offset();) {
        const auto entries = log->Read(at, log->end_offset(), 256 << 10);
        Must(entries.status());
        for (const Entry& entry : *entries) {
          RecordsReader reader(entry.body(), entry.header.base_timestamp_ms);
          std::optional<std::string_view> key;
          std::optional<std::string_view> value;
          int64_t timestamp = 0;
          while (*reader.NextValue(key, value, timestamp)) seen += value->size() == bytes;
          at = entry.header.end_offset();
        }
      }
    });
    CAIRN_CHECK(seen == records * static_cast<uint64_t>(count), "replay sees every record");
    return static_cast<double>(seen) / seconds / 1e6;
  }
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Runs the two alternately, so that both meet the same weather, and prints the ratio of the
// medians.
void Compare(const char* what, const std::function<double()>& log,
             const std::function<double()>& bare, double target) {
  std::vector<double> ours;
  std::vector<double> floor;
  for (int i = 0; i < kRuns; ++i) {
    floor.push_back(bare());
    ours.push_back(log());
  }
  std::printf("%-46s %8.0f MB/s   bare %8.0f MB/s   ratio %.2f (target %.2f)\n", what, Median(ours),
              Median(floor), Median(ours) / Median(floor), target);
}

void Report(const char* what, const std::function<double()>& run, double target) {
  std::vector<double> values;
  for (int i = 0; i < kRuns; ++i) values.push_back(run());
  std::printf("%-46s %8.2f M records/s (target %.0f)\n", what, Median(values), target);
}

}  // namespace
}  // namespace cairn::log

int main(int argc, char** argv) {
  cairn::base::TuneMalloc();  // as the server and the tools do
  cairn::log::Bench bench;
  const std::string parent = argc == 3 && std::string(argv[1]) == "--dir" ? argv[2] : ".";
  bench.directory = cairn::env::JoinPath(parent, "log_bench.tmp");
  constexpr size_t kBatchBytes = 128 << 10;
  constexpr size_t kRecordBytes = 1024;
  constexpr size_t kRecords = kBatchBytes / kRecordBytes;
  // The floor writes blocks of the same size, not aligned to pages either.
  const size_t entry_bytes =
      cairn::log::MakeBatchEntry(bench.MakeBatch(kRecords, kRecordBytes), cairn::Index(1),
                                 cairn::Term(1), cairn::Offset(0))
          .size_bytes();
  cairn::log::Compare(
      "append 128 KiB batches, fdatasync each",
      [&] { return bench.AppendLog(800, kRecords, kRecordBytes, true); },
      [&] { return bench.AppendBare(800, entry_bytes, true); }, 0.85);
  cairn::log::Compare(
      "append 128 KiB batches, page cache",
      [&] { return bench.AppendLog(1600, kRecords, kRecordBytes, false); },
      [&] { return bench.AppendBare(1600, entry_bytes, false); }, 0.60);
  cairn::log::Report(
      "encode + append, 100 B in batches of 1000",
      [&] { return bench.EncodeAndAppend(2000, 1000, 100); }, 8);
  cairn::log::Report(
      "decode + CRC + read, 100 B in batches of 1000",
      [&] { return bench.Replay(5000, 1000, 100); }, 10);
  cairn::log::Must(cairn::env::RemoveTree(*bench.fs, bench.directory));
  return 0;
}
