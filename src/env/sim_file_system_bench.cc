// What one crash state costs: the crash tests look at hundreds of thousands.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "env/files.h"
#include "env/sim_file_system.h"

namespace cairn::env {
namespace {

// A small topic: `files` files of 16 KiB, of which the last has eight writes that were not synced,
// and an un-synced mapped index.
struct Topic {
  explicit Topic(int64_t count) {
    (void)fs.CreateDir("topic");
    for (int64_t i = 0; i < count; ++i) {
      files.push_back(fs.Open("topic/" + std::to_string(i), OpenMode::kCreate).value());
      Write(0, std::string(16384, 'x'));
      (void)files.back()->Sync();
    }
    (void)fs.SyncDir("topic");
    (void)fs.SyncDir("/");
    for (int i = 0; i < 8; ++i) Write(16384 + i * 300, std::string(300, 'y'));
    index = fs.Open("topic/index", OpenMode::kCreate).value();
    (void)index->Allocate(16384);
    mapping = index->Map(16384).value();
    mapping->bytes()[100] = 'z';
  }
  void Write(uint64_t position, const std::string& data) {
    const std::array<std::string_view, 1> buffers = {data};
    (void)files.back()->WriteAt(position, buffers);
  }
  SimFileSystem fs{1};
  std::vector<std::unique_ptr<File>> files;
  std::unique_ptr<File> index;
  std::unique_ptr<Mapping> mapping;
};

void BM_CrashImage(benchmark::State& state) {
  const Topic topic(state.range(0));
  uint64_t seed = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(topic.fs.CrashImage(CrashChoice::Random(++seed)));
  }
}
BENCHMARK(BM_CrashImage)->Arg(1)->Arg(4)->Arg(16);

void BM_CrashImageAndReadAll(benchmark::State& state) {
  const Topic topic(state.range(0));
  uint64_t seed = 0;
  for (auto _ : state) {
    const auto image = topic.fs.CrashImage(CrashChoice::Random(++seed));
    const auto entries = image->List("topic").value();
    for (const DirectoryEntry& entry : entries) {
      benchmark::DoNotOptimize(ReadFile(*image, "topic/" + entry.name, 1 << 20));
    }
  }
}
BENCHMARK(BM_CrashImageAndReadAll)->Arg(4);

}  // namespace
}  // namespace cairn::env

BENCHMARK_MAIN();
