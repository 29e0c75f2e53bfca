// core_sim: long runs of the Raft core's simulator.
//
//   core_sim [--first SEED] [--count N] [--link fifo|reorder] [--seconds T]
//
// Runs seeds [first, first + count), T virtual seconds of faults each (20), or until --for SECONDS
// of real time are over. Prints what happened in numbers. Exit 1 after a failure, with the command
// that replays it.
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "consensus/core_sim_run.h"

namespace cairn::consensus {
namespace {

int Usage() {
  std::fprintf(stderr,
               "usage: core_sim [--first SEED] [--count N] [--link fifo|reorder] [--seconds T] "
               "[--for REAL_SECONDS]\n");
  return 2;
}

int Main(int argc, char** argv) {
  CoreRunOptions options;
  uint64_t count = 1000;
  double budget_s = std::numeric_limits<double>::max();
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (i + 1 == argc) return Usage();
    const std::string_view value = argv[i + 1];
    if (flag == "--first") {
      options.seed = std::strtoull(argv[i + 1], nullptr, 10);
    } else if (flag == "--count") {
      count = std::strtoull(argv[i + 1], nullptr, 10);
    } else if (flag == "--seconds") {
      options.seconds = std::strtoll(argv[i + 1], nullptr, 10);
    } else if (flag == "--for") {
      budget_s = std::strtod(argv[i + 1], nullptr);
    } else if (flag == "--link" && (value == "fifo" || value == "reorder")) {
      options.link = value == "fifo" ? LinkMode::kFifo : LinkMode::kReorder;
    } else {
      return Usage();
    }
  }
  const char* link = options.link == LinkMode::kFifo ? "fifo" : "reorder";
  CoreSim::Counts total;
  uint64_t seeds = 0;
  uint64_t failed = 0;
  int64_t slowest_ms = 0;
  uint64_t slowest_seed = 0;
  const auto start = std::chrono::steady_clock::now();
  for (; seeds < count; ++seeds, ++options.seed) {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (spent.count() > budget_s) break;
    const CoreRunResult result = RunCoreSim(options);
    total.Add(result.counts);
    if (!result.failure.empty()) {
      ++failed;
      std::printf("FAILED seed %" PRIu64 ": %s\n", options.seed, result.failure.c_str());
      std::printf("replay: core_sim --first %" PRIu64 " --count 1 --link %s --seconds %" PRId64
                  "\n",
                  options.seed, link, options.seconds);
    } else if (result.settle_ms > slowest_ms) {
      slowest_ms = result.settle_ms;
      slowest_seed = options.seed;
    }
  }
  std::printf("%s: seeds %" PRIu64 ", ok %" PRIu64 ", commits %" PRIu64 ", crashes %" PRIu64
              ", elections %" PRIu64 ", changes %" PRIu64 ", snapshots %" PRIu64
              ", log starts %" PRIu64 ", truncations %" PRIu64 ", reads %" PRIu64
              " (served %" PRIu64 "), transfers %" PRIu64 ", closed %" PRIu64
              ", departures %" PRIu64 ", entries sent %" PRIu64 ", slowest settle %" PRId64
              " ms (seed %" PRIu64 ")\n",
              link, seeds, seeds - failed, total.commits, total.crashes, total.elections,
              total.changes, total.snapshots, total.compactions, total.truncations, total.reads,
              total.reads_served, total.transfers, total.closed, total.departures,
              total.entries_sent, slowest_ms, slowest_seed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace cairn::consensus

int main(int argc, char** argv) { return cairn::consensus::Main(argc, argv); }
