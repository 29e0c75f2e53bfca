#include "server/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace cairn::server {
namespace {

using telemetry::Metric;

#if defined(__clang__)
constexpr char kCompiler[] = "clang " __clang_version__;
#else
constexpr char kCompiler[] = "gcc " __VERSION__;
#endif

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

uint64_t EntriesOf(const char* directory) {
  uint64_t count = 0;
  std::error_code error;  // without /proc there are none
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count;
}

uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

ProcessUse UseOfProcess() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime),
          .resident_bytes = ResidentBytes(),
          .descriptors = EntriesOf("/proc/self/fd"),
          .threads = EntriesOf("/proc/self/task")};
}

std::string_view Compiler() { return kCompiler; }

void AddProcessMetrics(telemetry::Samples& samples, int64_t start_ms) {
  const ProcessUse use = UseOfProcess();
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  samples.Add(Metric::kProcessCpu, use.cpu_seconds);
  samples.Add(Metric::kProcessMemory, use.resident_bytes);
  samples.Add(Metric::kProcessDescriptors, use.descriptors);
  samples.Add(Metric::kProcessMaxDescriptors, uint64_t{descriptors.rlim_cur});
  samples.Add(Metric::kProcessThreads, use.threads);
  samples.Add(Metric::kProcessStart, static_cast<double>(start_ms) / 1000);
  samples.Add(Metric::kBuildInfo, 1.0, {CAIRN_VERSION, kCompiler});
}

}  // namespace cairn::server
