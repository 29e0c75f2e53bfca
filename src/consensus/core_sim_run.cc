#include "consensus/core_sim_run.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/strings.h"

namespace cairn::consensus {
namespace {

constexpr int64_t kSettleMs = 30000;
constexpr int64_t kLossPermille = 20;

class Run {
 public:
  explicit Run(const CoreRunOptions& options)
      : options_(options), sim_(SimOptions(options)), dice_(sim_.dice()) {
    static constexpr std::array<size_t, 4> kMinVoters = {1, 2, 3, 3};
    min_voters_ = kMinVoters[options.seed % kMinVoters.size()];
  }

  CoreRunResult Go() {
    sim_.Boot(Configuration::OfVoters({NodeId(1), NodeId(2), NodeId(3)}));
    Clients();
    Operator();
    Chaos();
    sim_.Run(options_.seconds * 1000);
    Heal();
    const int64_t healed_us = sim_.now_us();
    CoreRunResult result;
    const bool settled = sim_.RunUntil(kSettleMs, [this] { return Settled(); });
    result.settle_ms = (sim_.now_us() - healed_us) / 1000;
    if (sim_.violation().empty() && !settled) {
      result.failure = "not settled within 30 s of healing: " + Describe();
    } else if (sim_.violation().empty() && !CommitsAgain()) {
      result.failure = "no write is committed after healing: " + Describe();
    }
    if (!sim_.violation().empty()) {
      result.failure =
          base::StrCat("violation at ", sim_.now_us() / 1000, " ms: ", sim_.violation());
    }
    result.trace_hash = sim_.trace_hash();
    result.counts = sim_.counts();
    return result;
  }

 private:
  static CoreSim::Options SimOptions(const CoreRunOptions& options) {
    CoreSim::Options result;
    result.seed = options.seed;
    result.link = options.link;
    result.guards = options.guards;
    result.loss_permille = kLossPermille;
    result.double_permille = kLossPermille;
    result.straggler_permille = 5;
    result.remember_departures = options.remember_departures;
    return result;
  }

  void Again(int64_t least_ms, uint64_t more_ms, void (Run::*what)()) {
    const int64_t at =
        sim_.now_us() + least_ms * 1000 + static_cast<int64_t>(dice_.Below(more_ms * 1000));
    sim_.At(at, [this, what] { (this->*what)(); });
  }

  bool Works(const CoreSim::Node& node) const {
    return node.leads() && node.paused_until_us <= sim_.now_us();
  }

  void Clients() {
    if (healed_) return;
    for (CoreSim::Node& node : sim_.nodes()) {
      if (Works(node) && dice_.Chance(700)) {
        sim_.Propose(node, 1 + static_cast<int>(dice_.Below(6))).IgnoreError();
      }
      for (uint64_t reads = Works(node) && dice_.Chance(100) ? 1 + dice_.Below(3) : 0;
           reads > 0 && Works(node); --reads) {
        sim_.Read(node);
      }
    }
    Again(2, 10, &Run::Clients);
  }

  void Operator() {
    if (healed_) return;
    for (CoreSim::Node& node : sim_.nodes()) {
      if (!Works(node)) continue;
      if (dice_.Chance(150)) {
        sim_.Transfer(node).IgnoreError();
      } else if (const auto to = NextConfiguration(node)) {
        sim_.Change(node, *to).IgnoreError();
      }
    }
    Again(50, 400, &Run::Operator);
  }

  std::optional<Configuration> NextConfiguration(const CoreSim::Node& leader) {
    const Configuration now = leader.core->configuration();
    const NodeId node(1 + static_cast<int32_t>(dice_.Below(CoreSim::kNodes)));
    if (node == leader.id) return std::nullopt;
    const auto role = now.RoleOf(node);
    if (!role) return now.With(node, MemberRole::kStandby);
    if (*role == MemberRole::kStandby) {
      return dice_.Chance(700) ? now.With(node, MemberRole::kVoter) : now.Without(node);
    }
    if (now.voter_count() <= min_voters_ || !dice_.Chance(600)) return std::nullopt;
    return dice_.Chance(500) ? now.With(node, MemberRole::kStandby) : now.Without(node);
  }

  void Chaos() {
    if (healed_) return;
    CoreSim::Node& node = AnyNode();
    switch (dice_.Below(15)) {
      case 0:
      case 1:
        SplitAtRandom();
        break;
      case 2:
        sim_.Cut(AnyNode().id.value(), AnyNode().id.value());
        break;
      case 3:
      case 4:
        sim_.Heal();
        break;
      case 5:
      case 6:
        sim_.Crash(node);
        break;
      case 7:
        if (dice_.Chance(500)) sim_.Pause(node, static_cast<int64_t>(dice_.Below(4000)));
        break;
      case 8:
        if (dice_.Chance(500)) HangDisk(node);
        break;
      case 9:
        if (dice_.Chance(300)) node.broken = true;
        break;
      case 10:
        for (CoreSim::Node& each : sim_.nodes()) {
          if (dice_.Chance(100)) sim_.Crash(each);
        }
        break;
      case 11:
      case 12:
        Depart();
        break;
      default:
        Retain(node);
    }
    for (CoreSim::Node& each : sim_.nodes()) {
      if (!each.up() && dice_.Chance(250)) sim_.Start(each);
    }
    Again(20, 300, &Run::Chaos);
  }

  CoreSim::Node& AnyNode() { return sim_.node(1 + static_cast<int>(dice_.Below(CoreSim::kNodes))); }

  void SplitAtRandom() {
    std::vector<int> sides[2];
    for (int id = 1; id <= CoreSim::kNodes; ++id) sides[dice_.Below(2)].push_back(id);
    sim_.Heal();
    sim_.Split(sides[0], sides[1]);
  }

  void HangDisk(CoreSim::Node& node) {
    if (!node.up()) return;
    sim_.SetHung(node, true);
    sim_.At(sim_.now_us() + static_cast<int64_t>(dice_.Below(6000000)),
            [this, &node, life = node.incarnation] {
              if (node.incarnation == life) sim_.SetHung(node, false);
            });
  }

  void Retain(CoreSim::Node& node) {
    if (!node.up() || node.applied <= node.log.snapshot_index()) return;
    // Mostly far from the end, sometimes everything, sometimes exactly the first entry.
    const uint64_t span = node.applied - node.log.snapshot_index();
    sim_.Compact(node, node.log.snapshot_index() + 1 + dice_.Below(span));
  }

  // One that the group has let go, as its leader can tell for certain, forgets.
  void Depart() {
    const CoreSim::Node* leader = sim_.leader();
    if (leader == nullptr || leader->applied != sim_.checks().last_committed() ||
        !leader->core->own_term_committed() || !leader->core->configuration_committed()) {
      return;
    }
    for (CoreSim::Node& node : sim_.nodes()) {
      if (node.disk.last_index() == Index() || dice_.Chance(300)) continue;
      if (leader->core->configuration().Contains(node.id)) continue;
      return sim_.Depart(node, leader->core->term(), leader->applied);
    }
  }

  void Heal() {
    healed_ = true;
    sim_.Heal();
    sim_.Supervise(true);
    sim_.options().loss_permille = sim_.options().double_permille = 0;
    sim_.options().straggler_permille = 0;
    for (CoreSim::Node& node : sim_.nodes()) {
      node.paused_until_us = std::min(node.paused_until_us, sim_.now_us());
      if (node.hung || node.broken) sim_.Crash(node);
      if (!node.up()) sim_.Start(node);
    }
  }

  bool Settled() {
    CoreSim::Node* leader = sim_.leader();
    if (leader == nullptr || !leader->core->configuration_committed() ||
        leader->applied != leader->log.last_index() ||
        leader->applied != sim_.checks().last_committed()) {
      return false;
    }
    for (const Member& member : leader->core->configuration().members()) {
      const CoreSim::Node& node = sim_.node(member.node);
      if (!node.up() || node.applied != leader->applied) return false;
    }
    return true;
  }

  bool CommitsAgain() {
    const Index before = sim_.checks().last_committed();
    for (int i = 0; i < 50 && sim_.checks().last_committed() == before; ++i) {
      if (CoreSim::Node* leader = sim_.leader()) sim_.Propose(*leader).IgnoreError();
      sim_.Run(100);
    }
    return sim_.checks().last_committed() > before &&
           sim_.RunUntil(5000, [this] { return Settled(); });
  }

  std::string Describe() {
    std::string text;
    for (const CoreSim::Node& node : sim_.nodes()) {
      text += base::StrCat("\n  node ", node.id.value(), node.up() ? "" : " down");
      if (!node.up()) continue;
      text += base::StrCat(" state ", static_cast<int>(node.core->state()), " term ",
                           node.core->term().value(), " log (", node.log.snapshot_index().value(),
                           ", ", node.log.last_index().value(), "] disk ",
                           node.disk.last_index().value(), " commit ", node.applied.value(),
                           " members ", node.core->configuration().ToString());
      for (const Member& member : node.core->configuration().members()) {
        const auto match = node.core->MatchIndex(member.node);
        if (match) text += base::StrCat(" match of ", member.node.value(), ": ", match->value());
      }
    }
    return text;
  }

  const CoreRunOptions options_;
  CoreSim sim_;
  Dice& dice_;
  size_t min_voters_ = 3;
  bool healed_ = false;
};

}  // namespace

CoreRunResult RunCoreSim(const CoreRunOptions& options) { return Run(options).Go(); }

}  // namespace cairn::consensus
