#include "consensus/core_sim.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/strings.h"

namespace cairn::consensus {
namespace {

constexpr int64_t kMinWriteUs = 200;
constexpr int64_t kMaxWriteUs = 20000;
constexpr int64_t kRestartUs = 500000;

}  // namespace

uint64_t Dice::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void CoreSim::Counts::Add(const Counts& other) {
  commits += other.commits;
  entries_sent += other.entries_sent;
  messages += other.messages;
  crashes += other.crashes;
  elections += other.elections;
  changes += other.changes;
  refused += other.refused;
  snapshots += other.snapshots;
  truncations += other.truncations;
  compactions += other.compactions;
  reads += other.reads;
  reads_served += other.reads_served;
  transfers += other.transfers;
  closed += other.closed;
  departures += other.departures;
  proposals += other.proposals;
  overloaded += other.overloaded;
}

CoreSim::CoreSim(const Options& options) : options_(options), dice_(options.seed) {
  for (int id = 1; id <= kNodes; ++id) {
    node(id).id = NodeId(id);
    node(id).clock_ahead_us = static_cast<int64_t>(dice_.Below(100)) * 1000;
  }
}

CoreSim::~CoreSim() = default;

void CoreSim::Prepare(const Configuration& configuration) {
  const log::Entry first = log::MakeControlEntry(
      log::EntryKind::kConfiguration, configuration.Encode(), Index(1), Term(1), Offset(0), 0);
  checks_.Begin(first);
  for (const Member& member : configuration.members()) {
    if (member.role != MemberRole::kVoter) continue;
    node(member.node).term = Term(1);
    node(member.node).disk.Append(first);
  }
}

void CoreSim::Boot(const Configuration& configuration) {
  Prepare(configuration);
  for (Node& each : nodes_) Start(each);
}

CoreSim::Node* CoreSim::leader() {
  Node* found = nullptr;
  for (Node& each : nodes_) {
    if (each.leads() && (found == nullptr || each.core->term() > found->core->term())) {
      found = &each;
    }
  }
  return found;
}

// ---- time ----

void CoreSim::At(int64_t at_us, std::function<void()> what) {
  events_.push({std::max(at_us, now_us_), event_order_++, std::move(what)});
}

bool CoreSim::RunUntil(int64_t ms, const std::function<bool()>& until) {
  const int64_t end = now_us_ + ms * 1000;
  if (until()) return true;
  while (violation().empty() && !events_.empty() && events_.top().at_us <= end) {
    // priority_queue shows its top as const, but nobody else can see what is moved out of it.
    Event event = std::move(const_cast<Event&>(events_.top()));
    events_.pop();
    now_us_ = event.at_us;
    event.what();
    if (until()) return violation().empty();
  }
  if (violation().empty()) now_us_ = end;
  return false;
}

void CoreSim::Run(int64_t ms) {
  RunUntil(ms, [] { return false; });
}

void CoreSim::SetTimer(Node& node) {
  if (!node.up()) return;
  const int64_t deadline = node.core->deadline_ms();
  if (deadline > std::numeric_limits<int64_t>::max() / 2000) return;
  const int64_t at = std::max(deadline * 1000 - node.clock_ahead_us, now_us_);
  if (node.timer_us >= now_us_ && node.timer_us <= at && node.timer_us > 0) return;
  node.timer_us = at;
  At(at, [this, &node, at, life = node.incarnation] {
    if (node.incarnation != life || node.timer_us != at || !node.up()) return;
    node.timer_us = 0;
    if (node.paused_until_us > now_us_) {
      node.timer_us = node.paused_until_us;
      At(node.timer_us, [this, &node, life] {
        if (node.incarnation != life || !node.up()) return;
        node.timer_us = 0;
        SetTimer(node);
      });
      return;
    }
    node.core->Tick(NowMs(node));
    Drain(node);
  });
}

// ---- nodes ----

void CoreSim::Start(Node& node) {
  ++node.incarnation;
  node.jobs.clear();
  node.writing = node.hung = node.broken = false;
  node.paused_until_us = node.timer_us = 0;
  node.reads.clear();
  node.log = node.disk;
  node.applied = node.log.snapshot_index();
  CoreOptions options;
  options.self = node.id;
  options.seed = dice_.Next();
  options.max_uncommitted_entries = options_.max_uncommitted_entries;
  node.core = NewLibraftCore(options, options_.guards);
  if (options_.remember_departures && node.departed_term > node.term) {
    node.term = node.departed_term;
    node.vote = NodeId();
  }
  CoreState state = node.disk.State(node.term, node.vote);
  if (options_.remember_departures) state.forgot_up_to = node.departed_at;
  const absl::Status started = node.core->Start(state, NowMs(node));
  if (!started.ok()) checks_.Fail(std::string(base::StdView(started.message())));
  Drain(node);
}

void CoreSim::Crash(Node& node) {
  if (!node.up()) return;
  ++counts_.crashes;
  // What was under way is durable up to any point, even within one write.
  if (!node.hung && !node.broken) {
    size_t keep = dice_.Below(node.jobs.size() + 1);
    for (size_t i = 0; i < keep; ++i) Apply(node, node.jobs[i], SIZE_MAX);
    if (keep < node.jobs.size() && node.jobs[keep].store) {
      const size_t entries = dice_.Below(node.jobs[keep].store->entries.size() + 1);
      if (entries > 0) Apply(node, node.jobs[keep], entries);
    }
  }
  node.jobs.clear();
  ++node.incarnation;
  node.core.reset();
}

void CoreSim::Depart(Node& node, Term leader_term, Index committed) {
  Crash(node);
  ++counts_.departures;
  ++node.departures;
  node.disk = SimLog();
  node.term = Term();
  node.vote = NodeId();
  node.departed_term = leader_term;
  node.departed_at = committed;
}

void CoreSim::Closed(Node& node) {
  ++counts_.closed;
  node.core.reset();
  node.jobs.clear();
  ++node.incarnation;
  if (!supervise_) return;
  At(now_us_ + kRestartUs, [this, &node, life = node.incarnation] {
    if (node.incarnation == life && !node.up()) Start(node);
  });
}

// ---- disk ----

bool CoreSim::Resets(const Node& node) {
  return std::any_of(node.jobs.begin(), node.jobs.end(),
                     [](const Job& job) { return job.reset.has_value(); });
}

void CoreSim::SetHung(Node& node, bool hung) {
  node.hung = hung;
  if (!hung) Write(node);
}

void CoreSim::Write(Node& node) {
  if (node.writing || node.hung || node.jobs.empty()) return;
  node.writing = true;
  const size_t jobs = 1 + dice_.Below(node.jobs.size());  // one sync covers them
  const int64_t takes = kMinWriteUs + static_cast<int64_t>(dice_.Below(kMaxWriteUs - kMinWriteUs));
  At(now_us_ + takes, [this, &node, jobs, life = node.incarnation] {
    if (node.incarnation == life) Written(node, jobs);
  });
}

void CoreSim::Written(Node& node, size_t jobs) {
  node.writing = false;
  if (node.hung || node.jobs.empty() || !node.up()) return;
  if (node.paused_until_us > now_us_) {
    node.writing = true;
    At(node.paused_until_us, [this, &node, jobs, life = node.incarnation] {
      if (node.incarnation == life) Written(node, jobs);
    });
    return;
  }
  if (node.broken) {
    node.jobs.clear();
    node.core->OnDiskFailed(NowMs(node));
    return Drain(node);
  }
  std::optional<Index> reset;
  for (; jobs > 0; --jobs) {
    if (node.jobs.front().reset) reset = node.jobs.front().reset->last_index;
    Apply(node, node.jobs.front(), SIZE_MAX);
    node.jobs.pop_front();
  }
  if (reset) node.core->OnLogReset(*reset, NowMs(node));
  // What is durable and not about to be rewritten.
  Index durable = node.disk.last_index();
  for (const Job& job : node.jobs) {
    if (job.store) durable = std::min(durable, job.store->first - 1);
  }
  if (!Resets(node)) node.core->OnPersisted(durable, NowMs(node));
  Drain(node);
  Write(node);
}

void CoreSim::Apply(Node& node, const Job& job, size_t entries) {
  if (job.store) {
    node.disk.Truncate(job.store->first);
    if (node.disk.last_index() + 1 != job.store->first) {
      checks_.Fail(base::StrCat("node ", node.id.value(), " leaves a gap on its disk"));
      return;
    }
    for (const log::Entry& entry : job.store->entries) {
      if (entries-- == 0) break;
      node.disk.Append(entry);
    }
  }
  if (job.reset) node.disk.Reset(*job.reset);
  if (job.compact && node.disk.Has(*job.compact)) node.disk.Compact(*job.compact);
}

// ---- requests ----

absl::Status CoreSim::Propose(Node& node, int count) {
  std::vector<log::Entry> entries;
  Index index = node.core->last_index();
  for (int i = 0; i < count; ++i) {
    log::Batch batch;
    batch.records = base::StrCat(++proposed_, "/", node.id.value());
    batch.record_count = 1;
    entries.push_back(log::MakeBatchEntry(std::move(batch), ++index, node.core->term(), Offset(0)));
  }
  const absl::Status status = node.core->Propose(entries, NowMs(node));
  ++(absl::IsResourceExhausted(status) ? counts_.overloaded : counts_.proposals);
  Drain(node);
  return status;
}

absl::Status CoreSim::Change(Node& node, const Configuration& to) {
  const absl::Status status = node.core->ChangeConfiguration(to, NowMs(node));
  ++(status.ok() ? counts_.changes : counts_.refused);
  Drain(node);
  return status;
}

absl::Status CoreSim::Transfer(Node& node, NodeId to) {
  const absl::Status status = node.core->Transfer(to, NowMs(node));
  if (status.ok()) ++counts_.transfers;
  Drain(node);
  return status;
}

void CoreSim::Read(Node& node) {
  ++counts_.reads;
  node.reads[++read_token_] = checks_.last_committed();
  node.core->Read(read_token_, NowMs(node));
  Drain(node);
}

void CoreSim::Compact(Node& node, Index index) {
  // Not before it is durable, and not while a reset is under way.
  if (Resets(node) || !node.log.Has(index) || index > node.applied ||
      index > node.disk.last_index() || node.disk.TermAt(index) != node.log.TermAt(index)) {
    return;
  }
  for (const Job& job : node.jobs) {
    if (job.store && job.store->first <= index) return;
  }
  ++counts_.compactions;
  node.core->OnCompacted(index, NowMs(node));
  node.log.Compact(index);
  node.jobs.push_back({.compact = index});
  Drain(node);
  Write(node);
}

void CoreSim::Inject(Node& node, NodeId from, Message message) {
  if (!node.up()) return;
  node.core->Receive(from, std::move(message), NowMs(node));
  Drain(node);
}

void CoreSim::Trace(uint64_t a, uint64_t b, uint64_t c) {
  for (const uint64_t value : {static_cast<uint64_t>(now_us_), a, b, c}) {
    trace_hash_ = (trace_hash_ ^ value) * 0x100000001b3;  // FNV-1a, by words
  }
}

}  // namespace cairn::consensus
