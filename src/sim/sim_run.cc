#include "sim/sim_run.h"

#include <functional>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "cluster/command.h"
#include "sim/workload.h"

namespace cairn::sim {
namespace {

// How long the cluster may take to form, to serve after the last fault, to have all replicas
// complete, and to have them where they should be.
constexpr int64_t kFormMs = 30'000;
constexpr int64_t kServeMs = 30'000;
constexpr int64_t kCatchUpMs = 60'000;
constexpr int64_t kPlaceMs = 180'000;
// And to repair what has rotted, once it is read.
constexpr int64_t kRepairMs = 60'000;
// A node that is silent for this long is replaced: short, so that it happens in a short run.
constexpr int64_t kGraceMs = 20'000;
constexpr int64_t kStepMs = 20;

class Run {
 public:
  explicit Run(const SimOptions& options)
      : options_(options),
        world_(options.seed, options.verbose),
        cluster_(world_, options.nodes),
        workload_(cluster_),
        faults_(cluster_, options.faults) {}

  SimResult Go() {
    Simulate();
    SimResult result;
    result.finding = world_.finding();
    result.trace_hash = Mix(world_.trace_hash(), world_.dice.Next());
    result.commits = cluster_.history().entries();
    result.acknowledged = cluster_.history().acknowledged();
    result.reads = workload_.reads();
    for (size_t i = 0; i < cluster_.size(); ++i) {
      result.flips += cluster_.machine(i).flips();
      result.repairs += cluster_.machine(i).repairs();
    }
    result.simulated_ms = world_.now_ms();
    result.served_ms = served_ms_;
    result.settled_ms = settled_ms_;
    result.faults = faults_.counts();
    return result;
  }

 private:
  void Simulate() {
    Form();
    if (world_.failed()) return;
    workload_.Start();
    faults_.Start();
    RunUntil(options_.duration_ms, [] { return std::string("not over"); });
    if (world_.failed()) return;
    faults_.Heal();
    Settle();
  }

  // Runs until `missing` says nothing, or something was found. False when the time is over.
  bool RunUntil(int64_t limit_ms, const std::function<std::string()>& missing) {
    const int64_t end_ms = world_.now_ms() + limit_ms;
    while (!world_.failed()) {
      if (missing().empty()) return true;
      if (world_.now_ms() >= end_ms) return false;
      world_.fabric.RunFor(kStepMs * kMs);
    }
    return true;
  }

  void Expect(int64_t limit_ms, const char* what, const std::function<std::string()>& missing) {
    if (world_.failed() || RunUntil(limit_ms, missing)) return;
    world_.Find(base::StrCat(what, " after ", limit_ms / 1000, " s: ", missing()));
  }

  // A command through any node, again until it is carried out.
  void Order(const cluster::Command& command) {
    const auto number = cluster_.AnyWorking();
    if (!number) return world_.After(200, [this, command] { Order(command); });
    cluster_.machine(*number).node().RunCommand(
        command, [this, command](const absl::StatusOr<cluster::CommandResult>& result) {
          if (!absl::IsUnavailable(result.status())) return;
          world_.After(500, [this, command] { Order(command); });
        });
  }

  void Form() {
    for (size_t i = 0; i < cluster_.size(); ++i) cluster_.machine(i).Boot();
    cluster_.StartLooking();
    Expect(kFormMs, "the cluster has not formed", [this] { return cluster_.Unsettled(true); });
    if (world_.failed()) return;
    Order(cluster::ChangeSettings{
        .default_replication_factor = {}, .grace_ms = kGraceMs, .controller_voters = {}});
    broker::TopicSettingsChange rolling;
    rolling.retention_bytes = 256 << 10;
    cluster::Node& node = cluster_.machine(0).node();
    node.CreateTopic("orders", 3, 0, {}, [](const absl::StatusOr<broker::TopicInfo>&) {});
    node.CreateTopic("rolling", 1, 0, rolling, [](const absl::StatusOr<broker::TopicInfo>&) {});
    Expect(kFormMs, "the topics are not there", [this] {
      return cluster_.Metadata()->metadata.topics.size() < 3 ? "topics are missing"
                                                             : cluster_.Unsettled(true);
    });
    cluster_.SetLeastTopics(3);
  }

  void Settle() {
    const int64_t healed_ms = world_.now_ms();
    workload_.Stop();
    if (const auto view = cluster_.Metadata()) {
      for (const auto& [id, node] : view->metadata.nodes) {
        if (node.state != cluster::NodeState::kDraining) continue;
        Order(
            cluster::SetNodeState{.node = id, .state = cluster::NodeState::kActive, .time_ms = 0});
      }
    }
    Expect(kServeMs, "not every partition serves", [this]() -> std::string {
      if (!cluster_.knows_topics()) return "the metadata are not known";
      return workload_.Probes();
    });
    served_ms_ = world_.now_ms() - healed_ms;
    Expect(kCatchUpMs - served_ms_, "not every replica is complete", [this] {
      faults_.WipeRemoved();
      return cluster_.Unsettled(false);
    });
    cluster_.LookAtAll();
    Expect(1'000, "something is lost", [this] { return cluster_.history().Missing(); });
    Expect(kPlaceMs, "not every replica is in its place", [this] {
      faults_.WipeRemoved();
      return cluster_.Unsettled(true);
    });
    settled_ms_ = world_.now_ms() - healed_ms;
    ReadAllAgain();
  }

  // From the disks, not from caches: what has rotted is met and repaired, and in the end every
  // replica shows again what it showed before.
  void ReadAllAgain() {
    for (size_t i = 0; i < cluster_.size(); ++i) {
      Machine& machine = cluster_.machine(i);
      if (!machine.RotRemains()) continue;
      machine.Crash(false);
      machine.Boot();
    }
    cluster_.history().LookAgain();
    Expect(kRepairMs, "not every log is whole", [this]() -> std::string {
      for (size_t i = 0; i < cluster_.size(); ++i) {
        if (cluster_.machine(i).RotRemains()) {
          return cluster_.machine(i).name() + " has flipped bits on its disk";
        }
      }
      return cluster_.Unsettled(true);
    });
    cluster_.history().LookAgain();
    cluster_.LookAtAll();
  }

  const SimOptions options_;
  World world_;
  SimCluster cluster_;
  Workload workload_;
  Faults faults_;
  int64_t served_ms_ = 0;
  int64_t settled_ms_ = 0;
};

}  // namespace

SimResult RunSim(const SimOptions& options) { return Run(options).Go(); }

std::string ReplayCommand(const SimOptions& options) {
  return absl::StrFormat("cairn sim --seed %d --nodes %d --hours %g --faults %s", options.seed,
                         options.nodes, static_cast<double>(options.duration_ms) / 3'600'000,
                         options.faults.ToString());
}

std::string ToJson(const SimOptions& options, const SimResult& result) {
  nlohmann::ordered_json faults = nlohmann::ordered_json::object();
  for (size_t i = 0; i < kFaults; ++i) {
    if (result.faults[i] > 0)
      faults[std::string(ToString(static_cast<Fault>(i)))] = result.faults[i];
  }
  nlohmann::ordered_json json = {{"seed", options.seed},
                                 {"nodes", options.nodes},
                                 {"simulated_s", static_cast<double>(result.simulated_ms) / 1000},
                                 {"commits", result.commits},
                                 {"acknowledged", result.acknowledged},
                                 {"reads", result.reads},
                                 {"faults", faults},
                                 {"flips", result.flips},
                                 {"repairs", result.repairs},
                                 {"served_s", static_cast<double>(result.served_ms) / 1000},
                                 {"settled_s", static_cast<double>(result.settled_ms) / 1000},
                                 {"trace_hash", absl::StrFormat("%016x", result.trace_hash)},
                                 {"verdict", result.finding.empty() ? "ok" : "finding"}};
  if (!result.finding.empty()) {
    json["finding"] = result.finding;
    json["replay"] = ReplayCommand(options);
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace cairn::sim
