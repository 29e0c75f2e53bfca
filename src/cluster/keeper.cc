#include "cluster/keeper.h"

#include <algorithm>
#include <utility>

#include "cluster/controller_target.h"
#include "cluster/group_id.h"
#include "cluster/next_step.h"
#include "cluster/peer_methods.h"

namespace cairn::cluster {
namespace {

constexpr int64_t kTickMs = 250;
constexpr int64_t kReportEveryMs = 1'000;
constexpr int64_t kReconcileEveryMs = 1'000;
// A deleted topic's group that nobody reports for this long is gone.
constexpr int64_t kForgetMs = 5'000;
constexpr int64_t kTidyEveryMs = 1'000;
constexpr int64_t kAnnounceEveryMs = 10'000;
// A node that said it has damaged logs, and says nothing any more.
constexpr int64_t kDamageFreshMs = 5'000;
constexpr int64_t kReportTimeoutNs = 5'000'000'000;

}  // namespace

MemberView Keeper::Reachability::ViewOf(NodeId node, int64_t now_ms) const {
  MemberView member;
  const auto since = since_ms.find(node);
  member.reachable = since != since_ms.end();
  if (member.reachable) member.reachable_for_ms = now_ms - since->second;
  return member;
}

void Keeper::Start() {
  dependencies_.loop->Post([self = shared_from_this()] {
    self->observed_.since_ms = self->NowMs();
    self->Tick();
  });
}

void Keeper::Stop() {
  stopped_ = true;
  dependencies_.loop->Cancel(timer_);
  OnLooked();
}

void Keeper::WhenLooked(absl::AnyInvocable<void()> done) {
  if (stopped_ || !IsController() || (was_controller_ && looked_)) return done();
  when_looked_.push_back(std::move(done));
  if (was_controller_) return;  // the look is under way
  dependencies_.loop->Cancel(timer_);
  Tick();
}

void Keeper::OnLooked() {
  looked_ = true;
  for (auto& done : std::exchange(when_looked_, {})) done();
}

bool Keeper::IsController() const { return dependencies_.controller->replica().is_leader(); }

void Keeper::Tick() {
  if (stopped_) return;
  const int64_t now_ms = NowMs();
  const auto view = dependencies_.controller->view();
  const bool controller = IsController();
  if (controller && !was_controller_) {
    observed_ = {};
    observed_.since_ms = now_ms;
    looked_ = false;
  }
  was_controller_ = controller;
  LookWhoAnswers(view->metadata, now_ms);
  if (controller) {
    std::erase_if(observed_.groups, [&](const auto& group) {
      return group.first != kControllerGroup && now_ms - group.second.reported_ms > kForgetMs &&
             view->metadata.FindPartition(group.first) == nullptr;
    });
    KeepController(view->metadata, now_ms);
    Reconcile(view->metadata, now_ms);
  } else {
    waits_.clear();
    SendReport();
  }
  // Behind the report: it drops what the last look has found, and the next comes from other loops.
  KeepPartitions(view, now_ms);
  AnnounceLeads(view->metadata, now_ms);
  if (now_ms - tidied_ms_ >= kTidyEveryMs) {
    tidied_ms_ = now_ms;
    dependencies_.tidy();
  }
  timer_ = dependencies_.loop->PostAfter(kTickMs * 1'000'000,
                                         [self = shared_from_this()] { self->Tick(); });
}

void Keeper::LookWhoAnswers(const Metadata& metadata, int64_t now_ms) {
  auto looked = std::make_shared<Reachability>();
  const auto gossip =
      dependencies_.gossip ? dependencies_.gossip() : std::map<NodeId, GossipObservation>();
  for (const auto& [id, node] : metadata.nodes) {
    if (!node.is_member()) continue;
    std::optional<int64_t> heard =
        id == dependencies_.self ? now_ms : dependencies_.transport->LastHeardMs(id);
    NodeObservation& seen = observed_.nodes[id];
    if (heard) seen.last_heard_ms = *heard;
    seen.reachable = heard && now_ms - *heard <= kSilentMs;
    const auto said = gossip.find(id);
    seen.gossip = said == gossip.end() ? GossipObservation() : said->second;
    if (!seen.reachable) continue;
    const auto before = reachability_->since_ms.find(id);
    looked->since_ms[id] = before == reachability_->since_ms.end() ? now_ms : before->second;
  }
  ForgetDamage(now_ms);
  for (const auto& [group, nodes] : observed_.damaged) {
    for (const auto& [node, words] : nodes) looked->damaged[group].insert(node);
  }
  reachability_ = std::move(looked);
}

// One step at most of one group, and how it is. On the group's loop.
GroupView Keeper::Keep(consensus::RaftReplica& replica, const GroupTarget& target,
                       const Reachability& reachability, NodeId self, int64_t now_ms) {
  const consensus::ReplicaStatus status = replica.Status();
  GroupView view;
  view.leader = self;
  view.reported_ms = now_ms;
  view.configuration = status.configuration;
  view.may_change = status.own_term_committed && status.configuration_committed;
  const auto damaged = reachability.damaged.find(replica.group());
  const auto add = [&](NodeId node) {
    if (view.members.contains(node)) return;
    MemberView member = reachability.ViewOf(node, now_ms);
    member.damaged = damaged != reachability.damaged.end() && damaged->second.contains(node);
    if (node == self) {
      member.lag_entries = 0;
    } else if (const auto match = status.match.find(node); match != status.match.end()) {
      member.lag_entries = status.last_index - std::min(match->second, status.last_index);
    }
    view.members[node] = member;
  };
  for (const consensus::Member& member : status.configuration.members()) add(member.node);
  for (const NodeId node : target.voters) add(node);
  for (const NodeId node : target.standbys) add(node);
  const StepPlan plan = NextStep(view, target);
  if (!plan.step) return view;
  // A step that the core refuses now is planned again in the next round.
  if (plan.step->kind == MembershipStep::Kind::kTransfer) {
    replica.Transfer(plan.step->node).IgnoreError();
  } else {
    replica.ChangeConfiguration(plan.step->to).IgnoreError();
  }
  return view;
}

void Keeper::KeepPartitions(const std::shared_ptr<const MetadataView>& view, int64_t now_ms) {
  std::map<env::Executor*, std::vector<std::shared_ptr<const broker::HostedReplica>>> led;
  for (const auto& hosted : dependencies_.host->All()) {
    if (hosted->replica != nullptr && hosted->replica->is_leader()) {
      led[hosted->loop].push_back(hosted);
    }
  }
  GroupReport gone;
  views_.swap(gone);
  if (led.empty()) return OnLooked();
  const auto loops = std::make_shared<size_t>(led.size());  // to come; on this loop
  for (auto& [loop, groups] : led) {
    loop->Post([self = shared_from_this(), view, now_ms, groups = std::move(groups),
                reachability = reachability_, loops] {
      GroupReport views;
      for (const auto& hosted : groups) {
        const GroupId group = hosted->spec.group;
        const PartitionInfo* partition = view->metadata.FindPartition(group);
        if (partition == nullptr || !hosted->replica->is_leader()) continue;
        views[group] = Keep(*hosted->replica, TargetOf(*partition), *reachability,
                            self->dependencies_.self, now_ms);
      }
      self->dependencies_.loop->Post([self, loops, views = std::move(views)]() mutable {
        self->TakeViews(std::move(views));
        if (--*loops == 0) self->OnLooked();
      });
    });
  }
}

void Keeper::TakeViews(GroupReport views) {
  if (IsController()) {
    for (const auto& [group, view] : views) observed_.groups[group] = view;
  }
  views_.merge(views);
}

void Keeper::KeepController(const Metadata& metadata, int64_t now_ms) {
  if (metadata.cluster_id.is_nil()) return;
  observed_.groups[kControllerGroup] =
      Keep(dependencies_.controller->replica(), ControllerTarget(metadata, observed_),
           *reachability_, dependencies_.self, now_ms);
}

void Keeper::Reconcile(const Metadata& metadata, int64_t now_ms) {
  if (metadata.cluster_id.is_nil() || commands_under_way_ > 0 ||
      now_ms - reconciled_ms_ < kReconcileEveryMs) {
    return;
  }
  reconciled_ms_ = now_ms;
  observed_.wall_ms = dependencies_.clock->WallMs();
  ReconcilePlan plan = cluster::Reconcile(metadata, observed_, now_ms);
  waits_ = std::move(plan.waits);
  for (Command& command : plan.commands) {
    ++commands_under_way_;
    // What fails is planned again from what is then known.
    dependencies_.run(std::move(command),
                      [self = shared_from_this()](const absl::StatusOr<CommandResult>&, Offset) {
                        --self->commands_under_way_;
                      });
  }
}

void Keeper::SendReport() {
  const int64_t now_ms = NowMs();
  const NodeId controller = dependencies_.controller->replica().leader();
  if (views_.empty() || controller.value() == 0) return;
  // A new controller knows nothing yet.
  if (controller == reported_to_ && now_ms - reported_ms_ < kReportEveryMs) return;
  reported_to_ = controller;
  reported_ms_ = now_ms;
  GroupReport report;
  for (const auto& [group, view] : views_) {
    if (report.size() == kMaxGroupsPerReport) break;
    report.emplace(group, view);
  }
  dependencies_.transport->Call(controller, static_cast<uint16_t>(PeerMethod::kReport),
                                Encode(report), kReportTimeoutNs,
                                [](const absl::StatusOr<std::string>&) {});  // the next one comes
}

void Keeper::TakeReport(NodeId from, GroupReport report) {
  if (!IsController()) return;
  const int64_t now_ms = NowMs();
  for (auto& [group, view] : report) {
    view.leader = from;
    view.reported_ms = now_ms;
    observed_.groups[group] = std::move(view);
  }
}

void Keeper::TakeDamage(NodeId from, const DamageReport& report) {
  if (report.empty()) {
    damage_.erase(from);
  } else {
    damage_[from] = {NowMs(), report};
  }
}

void Keeper::TakeFarewell(NodeId from) {
  auto looked = std::make_shared<Reachability>(*reachability_);
  if (const auto since = looked->since_ms.find(from); since != looked->since_ms.end()) {
    since->second = NowMs();
  }
  reachability_ = std::move(looked);
}

void Keeper::ForgetDamage(int64_t now_ms) {
  std::erase_if(damage_,
                [&](const auto& said) { return now_ms - said.second.at_ms > kDamageFreshMs; });
  observed_.damaged.clear();
  for (const auto& [node, said] : damage_) {
    for (const auto& [group, words] : said.report) observed_.damaged[group][node] = words;
  }
}

void Keeper::OnLeading(GroupId group, Term term) { led_.push_back({group, term}); }

// Nodes without a replica learn who leads from the leaders: when it changes, and again now and then
// for whoever missed it.
void Keeper::AnnounceLeads(const Metadata& metadata, int64_t now_ms) {
  if (now_ms - announced_ms_ >= kAnnounceEveryMs) {
    announced_ms_ = now_ms;
    led_.clear();
    for (const auto& hosted : dependencies_.host->All()) {
      if (hosted->replica != nullptr && hosted->replica->is_leader()) {
        led_.push_back({hosted->spec.group, hosted->replica->published_term()});
      }
    }
  }
  if (led_.empty()) return;
  const std::string payload = Encode(std::exchange(led_, {}));
  for (const auto& [id, node] : metadata.nodes) {
    if (id == dependencies_.self || !reachability_->since_ms.contains(id)) continue;
    dependencies_.transport->Call(id, static_cast<uint16_t>(PeerMethod::kLeads), payload,
                                  kReportTimeoutNs, [](const absl::StatusOr<std::string>&) {});
  }
}

}  // namespace cairn::cluster
