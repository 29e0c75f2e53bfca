// cairn sim: a simulated cluster under faults, by seed.

#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "apps/command.h"
#include "sim/sim_run.h"

namespace cairn::apps {
namespace {

constexpr double kMsPerHour = 3'600'000;

struct Flags {
  OutputFormat output = OutputFormat::kText;
  sim::SimOptions options;
  uint64_t seeds = 1;
  double hours = 0.05;
  std::string faults = "all";
};

void Print(const sim::SimOptions& options, const sim::SimResult& result, OutputFormat output) {
  if (output == OutputFormat::kJson) {
    std::cout << sim::ToJson(options, result) << std::endl;
    return;
  }
  std::cout << absl::StrFormat(
                   "seed %d: %s, %.0f s simulated, %d entries committed, %d batches "
                   "acknowledged, %d reads, trace %016x",
                   options.seed, result.finding.empty() ? "ok" : "FINDING",
                   static_cast<double>(result.simulated_ms) / 1000, result.commits,
                   result.acknowledged, result.reads, result.trace_hash)
            << std::endl;
  if (result.finding.empty()) return;
  std::cout << "  " << result.finding << "\n  replay: " << sim::ReplayCommand(options) << std::endl;
}

}  // namespace

void AddSimCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "sim", "Run a simulated cluster under load and faults; exit 1 when it breaks a promise");
  auto flags = std::make_shared<Flags>();
  command->add_option("--seed", flags->options.seed, "The first seed")->capture_default_str();
  command->add_option("--seeds", flags->seeds, "How many seeds")->capture_default_str();
  command->add_option("--nodes", flags->options.nodes, "Nodes of the cluster")
      ->check(CLI::Range(1, 15))
      ->capture_default_str();
  command->add_option("--hours", flags->hours, "Simulated hours of faults for each seed")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  command->add_option("--faults", flags->faults, "all, none, or kinds with commas")
      ->capture_default_str();
  command->add_flag("--verbose", flags->options.verbose, "Print every event to stderr");
  AddOutputFlag(*command, flags->output);
  OnChosen(*command, chosen, flags->output, [&chosen, flags] {
    const auto faults = sim::FaultSet::Parse(flags->faults);
    if (!faults.ok()) return Fail(chosen, faults.status());
    sim::SimOptions options = flags->options;
    options.faults = *faults;
    options.duration_ms = static_cast<int64_t>(flags->hours * kMsPerHour);
    bool found = false;
    for (uint64_t i = 0; i < flags->seeds; ++i, ++options.seed) {
      const sim::SimResult result = sim::RunSim(options);
      found = found || !result.finding.empty();
      Print(options, result, flags->output);
    }
    return found ? kFailed : kDone;
  });
}

}  // namespace cairn::apps
