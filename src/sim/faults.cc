#include "sim/faults.h"

#include <utility>
#include <vector>

#include "base/strings.h"
#include "cluster/command.h"

namespace cairn::sim {
namespace {

constexpr std::array<std::string_view, kFaults> kNames = {
    "crash", "cluster-crash", "wipe",  "pause", "slow-disk", "eio",   "enospc",
    "rot",   "delay",         "reset", "cut",   "one-way",   "clock", "drain"};
// How often each comes, relative to the others.
constexpr std::array<uint64_t, kFaults> kWeights = {20, 2, 2, 8, 6, 4, 4, 4, 8, 10, 10, 8, 4, 3};
// Between two faults.
constexpr int64_t kLeastPauseMs = 200;
constexpr int64_t kMostPauseMs = 4'000;
// How often, and how many times, it is tried to lose something.
constexpr int64_t kLossPauseMs = 250;
constexpr int kLossTries = 120;
// A crash in the middle of the disk's work comes within this many changes.
constexpr uint64_t kCrashWithinMutations = 400;

}  // namespace

std::string_view ToString(Fault fault) { return kNames[static_cast<size_t>(fault)]; }

absl::StatusOr<FaultSet> FaultSet::Parse(std::string_view text) {
  FaultSet set;
  if (text == "none" || text.empty()) return set;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
    bool known = false;
    for (size_t i = 0; i < kFaults; ++i) {
      if (name != "all" && name != kNames[i]) continue;
      set.Add(static_cast<Fault>(i));
      known = true;
    }
    if (known) continue;
    std::string names;
    for (const std::string_view one : kNames) names += base::StrCat(" ", one);
    return absl::InvalidArgumentError(
        base::StrCat("there is no fault \"", name, "\"; there are: all none", names));
  }
  return set;
}

std::string FaultSet::ToString() const {
  std::string text;
  bool all = true;
  for (size_t i = 0; i < kFaults; ++i) {
    if (!Has(static_cast<Fault>(i))) {
      all = false;
    } else {
      text += base::StrCat(text.empty() ? "" : ",", kNames[i]);
    }
  }
  return all ? "all" : text.empty() ? "none" : text;
}

template <typename What>
void Faults::Later(int64_t low_ms, int64_t high_ms, What what) {
  world_.After(world_.Between(low_ms, high_ms), [this, what] {
    if (!healed_) what();
  });
}

void Faults::Start() {
  if (!set_.empty()) Next();
}

void Faults::Next() {
  Later(kLeastPauseMs, kMostPauseMs, [this] {
    uint64_t total = 0;
    for (size_t i = 0; i < kFaults; ++i) {
      if (set_.Has(static_cast<Fault>(i))) total += kWeights[i];
    }
    uint64_t chosen = world_.dice.Below(total);
    for (size_t i = 0; i < kFaults; ++i) {
      if (!set_.Has(static_cast<Fault>(i))) continue;
      if (chosen < kWeights[i]) {
        Do(static_cast<Fault>(i));
        break;
      }
      chosen -= kWeights[i];
    }
    WipeRemoved();
    // Those that crashed again behind their last start.
    for (size_t i = 0; i < cluster_.size(); ++i) {
      if (!cluster_.machine(i).up() && world_.Chance(100)) cluster_.machine(i).Boot();
    }
    Next();
  });
}

std::pair<size_t, size_t> Faults::AnyTwo() {
  const size_t first = AnyMachine();
  const size_t second = (first + 1 + world_.dice.Below(cluster_.size() - 1)) % cluster_.size();
  return {first, second};
}

void Faults::Do(Fault fault) {
  if (fault == Fault::kWipe || fault == Fault::kRot) return Lose(fault, kLossTries);
  ++counts_[static_cast<size_t>(fault)];
  const size_t number = AnyMachine();
  Machine& machine = cluster_.machine(number);
  world_.Note(base::StrCat("fault ", sim::ToString(fault), " ", machine.name()));
  env::SimNetwork& network = world_.network;
  switch (fault) {
    case Fault::kCrash:
      return Crash(number);
    case Fault::kClusterCrash:
      for (size_t i = 0; i < cluster_.size(); ++i) {
        cluster_.machine(i).Crash(world_.Chance(500));
        Restart(i, 100, 4'000);
      }
      return;
    case Fault::kWipe:
    case Fault::kRot:
      return;  // Lose does it
    case Fault::kPause:
      machine.Pause();
      return Later(50, 6'000, [&machine] { machine.Resume(); });
    case Fault::kSlowDisk:
      machine.SetDiskLatency(world_.Between(5, 300) * kMs);
      return Later(1'000, 15'000, [&machine] { machine.SetDiskLatency(kUsualDiskNs); });
    case Fault::kEio:
      if (world_.Chance(300)) {
        machine.SetStableStoreFails(true);
        return Later(100, 3'000, [&machine] { machine.SetStableStoreFails(false); });
      }
      if (world_.Chance(500)) {
        machine.SetReadErrors(static_cast<uint64_t>(world_.Between(1, 100)));
        return Later(200, 5'000, [&machine] { machine.SetReadErrors(0); });
      }
      machine.SetIoErrors(static_cast<uint64_t>(world_.Between(1, 100)));
      return Later(200, 5'000, [&machine] { machine.SetIoErrors(0); });
    case Fault::kEnospc:
      machine.SetFreeBytes(world_.dice.Below(300'000));
      return Later(1'000, 10'000, [&machine] { machine.SetFreeBytes(UINT64_MAX); });
    case Fault::kDelay: {
      const auto [a, b] = AnyTwo();
      const std::string from = cluster_.machine(a).name();
      const std::string to = cluster_.machine(b).name();
      network.SetDelay(from, to, world_.Between(1, 500) * kMs);
      return Later(500, 10'000, [&network, from, to] { network.SetDelay(from, to, 0); });
    }
    case Fault::kReset: {
      const auto [a, b] = AnyTwo();
      network.ResetConnections(cluster_.machine(a).name(), cluster_.machine(b).name());
      return;
    }
    case Fault::kCut:
      return Split();
    case Fault::kOneWay: {
      const auto [a, b] = AnyTwo();
      const std::string from = cluster_.machine(a).name();
      const std::string to = cluster_.machine(b).name();
      network.Cut(from, to);
      return Later(500, 20'000, [&network, from, to] { network.Heal(from, to); });
    }
    case Fault::kClock:
      return machine.StepWallClock(world_.Between(-100'000, 100'000));
    case Fault::kDrain:
      return Drain();
  }
}

void Faults::Crash(size_t number) {
  Machine& machine = cluster_.machine(number);
  if (world_.Chance(500)) {
    machine.Crash(world_.Chance(500));
  } else {
    machine.CrashAt(1 + world_.dice.Below(kCrashWithinMutations));
  }
  Restart(number, 100, 8'000);
}

// Until it is up: it may crash again while it starts.
void Faults::Restart(size_t number, int64_t low_ms, int64_t high_ms) {
  Later(low_ms, high_ms, [this, number] {
    Machine& machine = cluster_.machine(number);
    if (machine.up()) return;
    if (world_.Chance(150)) machine.CrashAt(1 + world_.dice.Below(100));
    machine.Boot();
    Restart(number, 500, 5'000);
  });
}

// One disk at a time, and only when all that is committed is on the others in full number: under
// other faults it takes a while until that is so.
void Faults::Lose(Fault fault, int tries) {
  const size_t number = AnyMachine();
  Machine& machine = cluster_.machine(number);
  const bool may = !MayNotLose();
  if (may && fault == Fault::kWipe) {
    machine.Wipe();
    Restart(number, 100, 10'000);
  } else if (may && machine.Rot(world_.Chance(500) ? Machine::Rotting::kBeginning
                                                   : Machine::Rotting::kAnything)) {
    cluster_.history().LookAgain();  // somebody reads it
  } else {
    if (tries == 0) return;
    return Later(kLossPauseMs, kLossPauseMs, [this, fault, tries] { Lose(fault, tries - 1); });
  }
  losing_ = true;
  ++counts_[static_cast<size_t>(fault)];
}

// All that is committed must be on the other disks in full number, whole.
bool Faults::MayNotLose() {
  for (size_t i = 0; i < cluster_.size(); ++i) {
    if (cluster_.machine(i).RotRemains()) return true;
  }
  const bool lost = std::exchange(losing_, !cluster_.Unsettled(true).empty());
  return lost || losing_;
}

void Faults::Split() {
  std::vector<std::pair<std::string, std::string>> cut;
  const uint64_t side = 1 + world_.dice.Below((uint64_t{1} << cluster_.size()) - 2);
  for (size_t a = 0; a < cluster_.size(); ++a) {
    for (size_t b = a + 1; b < cluster_.size(); ++b) {
      if ((side >> a & 1) == (side >> b & 1)) continue;
      cut.emplace_back(cluster_.machine(a).name(), cluster_.machine(b).name());
      world_.network.CutBoth(cut.back().first, cut.back().second);
    }
  }
  Later(500, 20'000, [this, cut] {
    for (const auto& [a, b] : cut) world_.network.HealBoth(a, b);
  });
}

// Never two at a time: with too few nodes left nothing could move.
void Faults::Drain() {
  const auto view = cluster_.Metadata();
  const auto through = cluster_.AnyWorking();
  if (view == nullptr || !through || losing_) return;
  for (const auto& [id, node] : view->metadata.nodes) {
    if (node.state != cluster::NodeState::kDraining) continue;
    if (!world_.Chance(500)) return;
    world_.Note(base::StrCat("take back node ", id.value()));
    cluster_.machine(*through).node().RunCommand(
        cluster::SetNodeState{.node = id, .state = cluster::NodeState::kActive, .time_ms = 0},
        [](const absl::StatusOr<cluster::CommandResult>&) {});
    return;
  }
  if (view->metadata.node_count(cluster::NodeState::kActive) <= 3) return;
  const auto victim = cluster_.AnyWorking();
  const NodeId id = cluster_.machine(*victim).node().id();
  world_.Note(base::StrCat("drain node ", id.value()));
  cluster_.machine(*through).node().RunCommand(
      cluster::SetNodeState{.node = id, .state = cluster::NodeState::kDraining, .time_ms = 0},
      [](const absl::StatusOr<cluster::CommandResult>&) {});
}

void Faults::WipeRemoved() {
  const auto view = cluster_.Metadata();
  if (view == nullptr) return;
  for (size_t i = 0; i < cluster_.size(); ++i) {
    Machine& machine = cluster_.machine(i);
    if (!machine.works()) continue;
    const auto* info = view->metadata.FindNode(machine.node().id());
    if (info == nullptr || info->is_member()) continue;
    machine.Wipe();
    machine.Boot();
  }
}

void Faults::Heal() {
  healed_ = true;
  world_.Note("heal");
  world_.network.HealAll();
  for (size_t a = 0; a < cluster_.size(); ++a) {
    Machine& machine = cluster_.machine(a);
    for (size_t b = 0; b < cluster_.size(); ++b) {
      world_.network.SetDelay(machine.name(), cluster_.machine(b).name(), 0);
    }
    machine.CrashAt(0);
    machine.Resume();
    machine.SetDiskLatency(kUsualDiskNs);
    machine.SetReadErrors(0);
    machine.SetIoErrors(0);
    machine.SetFreeBytes(UINT64_MAX);
    machine.SetStableStoreFails(false);
  }
  WipeRemoved();
  for (size_t i = 0; i < cluster_.size(); ++i) {
    Machine& machine = cluster_.machine(i);
    if (!machine.up()) machine.Boot();
  }
}

}  // namespace cairn::sim
