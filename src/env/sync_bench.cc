// fdatasync of many files, one after the other and by SyncAll. Writes to the temporary directory
// (TMPDIR).
#include <benchmark/benchmark.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "env/posix.h"
#include "env/temporary_directory.h"

namespace cairn::env {
namespace {

// Appends 4 KiB to each file and makes all of them durable.
void Run(benchmark::State& state, bool together) {
  const TemporaryDirectory directory;
  const auto fs = NewPosixFileSystem();
  std::vector<std::unique_ptr<File>> owned;
  std::vector<File*> files;
  for (int64_t i = 0; i < state.range(0); ++i) {
    owned.push_back(fs->Open(directory.Join(std::to_string(i)), OpenMode::kCreate).value());
    files.push_back(owned.back().get());
  }
  std::vector<absl::Status> results(files.size());
  const std::string page(4096, 'x');
  const std::array<std::string_view, 1> buffers = {page};
  uint64_t position = 0;
  for (auto _ : state) {
    for (File* file : files) CAIRN_CHECK(file->WriteAt(position, buffers).ok(), "cannot write");
    position += page.size();
    if (together) {
      fs->SyncAll(files, results);
    } else {
      for (size_t i = 0; i < files.size(); ++i) results[i] = files[i]->Sync();
    }
    for (const absl::Status& result : results) CAIRN_CHECK(result.ok(), "cannot sync");
  }
}

void BM_SyncOneByOne(benchmark::State& state) { Run(state, false); }
BENCHMARK(BM_SyncOneByOne)->Arg(1)->Arg(8)->Arg(64)->UseRealTime()->Unit(benchmark::kMillisecond);
void BM_SyncAll(benchmark::State& state) { Run(state, true); }
BENCHMARK(BM_SyncAll)->Arg(1)->Arg(8)->Arg(64)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cairn::env

BENCHMARK_MAIN();
