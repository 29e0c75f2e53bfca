// cluster_sim: the simulator without the rest of the program, for long runs and builds without
// gRPC.
//
//   cluster_sim [--seed S] [--seeds COUNT] [--nodes N] [--hours H] [--faults LIST] [--for SECONDS]
//               [--verbose]
//
// Prints one JSON object for each seed. Exit 1 after a finding.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

#include "sim/sim_run.h"

namespace cairn::sim {
namespace {

int Usage() {
  std::fprintf(stderr,
               "usage: cluster_sim [--seed S] [--seeds COUNT] [--nodes N] [--hours H] "
               "[--faults LIST] [--for REAL_SECONDS] [--verbose]\n");
  return 2;
}

int Main(int argc, char** argv) {
  SimOptions options;
  options.faults = *FaultSet::Parse("all");
  uint64_t seeds = 1;
  double budget_s = std::numeric_limits<double>::max();
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--verbose") {
      options.verbose = true;
      continue;
    }
    if (++i == argc) return Usage();
    if (flag == "--seed") {
      options.seed = std::strtoull(argv[i], nullptr, 10);
    } else if (flag == "--seeds") {
      seeds = std::strtoull(argv[i], nullptr, 10);
    } else if (flag == "--nodes") {
      options.nodes = std::strtoull(argv[i], nullptr, 10);
    } else if (flag == "--hours") {
      options.duration_ms = static_cast<int64_t>(std::strtod(argv[i], nullptr) * 3'600'000);
    } else if (flag == "--for") {
      budget_s = std::strtod(argv[i], nullptr);
    } else if (flag == "--faults") {
      const auto faults = FaultSet::Parse(argv[i]);
      if (!faults.ok()) {
        std::fprintf(stderr, "%s\n", std::string(faults.status().message()).c_str());
        return 2;
      }
      options.faults = *faults;
    } else {
      return Usage();
    }
  }
  const auto start = std::chrono::steady_clock::now();
  bool found = false;
  for (uint64_t i = 0; i < seeds; ++i, ++options.seed) {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (spent.count() > budget_s) break;
    const SimResult result = RunSim(options);
    found = found || !result.finding.empty();
    std::printf("%s\n", ToJson(options, result).c_str());
    std::fflush(stdout);
  }
  return found ? 1 : 0;
}

}  // namespace
}  // namespace cairn::sim

int main(int argc, char** argv) { return cairn::sim::Main(argc, argv); }
