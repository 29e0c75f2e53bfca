#include "consensus/libraft/libraft_core.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "consensus/libraft/engine_configuration.h"

namespace cairn::consensus {
namespace {

// G12. An InstallSnapshot carries no records, so it is late after a few round trips.
constexpr unsigned kInstallTimeoutMs = 3000;
constexpr unsigned kEngineInstallTimeoutMs = 30000;
// How far behind the leader's end a standby may be when it is promoted: it must be able to vote at
// once, and is never exactly at the end while there are writes.
constexpr uint64_t kMaxPromotionLag = 64;
// Sequences of the probes of guard G17, with the index of the configuration: none that a read has.
constexpr uint64_t kNewcomerProbe = uint64_t{1} << 63;
// How many entries may be on their way to one follower until SetMaxInflight. The engine's own 32
// would fill within one round trip, and it answers every submit behind that with a heartbeat.
constexpr unsigned kDefaultMaxInflight = 8192;

// The transfer target for "the best follower".
constexpr raft_id kAnyServer = 0;

}  // namespace

std::unique_ptr<RaftCore> NewLibraftCore(const CoreOptions& options, const Guards& guards) {
  return std::make_unique<LibraftCore>(options, guards);
}

std::unique_ptr<RaftCore> NewRaftCore(const CoreOptions& options) {
  return NewLibraftCore(options, Guards());
}

LibraftCore::LibraftCore(const CoreOptions& options, const Guards& guards)
    : options_(options),
      guards_(guards),
      raft_{},
      reads_(options.heartbeat_ms, options.election_timeout_ms) {
  CAIRN_CHECK(options.self.value() > 0, "a node has no id");
  const int error = raft_init(&raft_, nullptr, nullptr, ToEngineId(options.self),
                              EngineAddress(options.self).c_str());
  CAIRN_CHECK(error == 0, "out of memory in the engine");
  // The default tracer formats every message even when it is off, into buffers that all threads
  // share.
  raft_.tracer = nullptr;
  raft_seed(&raft_, static_cast<unsigned>(options.seed ^ (options.seed >> 32)));
  raft_set_pre_vote(&raft_, true);
  raft_set_election_timeout(&raft_, static_cast<unsigned>(options.election_timeout_ms));
  raft_set_heartbeat_timeout(&raft_, static_cast<unsigned>(options.heartbeat_ms));
  raft_set_install_snapshot_timeout(
      &raft_, guards.resend_snapshot_soon ? kInstallTimeoutMs : kEngineInstallTimeoutMs);
  raft_set_max_inflight_entries(&raft_, kDefaultMaxInflight);
}

LibraftCore::~LibraftCore() { raft_close(&raft_, nullptr); }

std::vector<Action> LibraftCore::TakeActions() { return std::exchange(actions_, {}); }

void LibraftCore::SetMaxInflight(uint32_t entries) {
  raft_set_max_inflight_entries(&raft_, std::max<uint32_t>(entries, 1));
}

// ---- time ----

// Lets the election timeout come now.
void LibraftCore::EndElectionRound() {
  raft_.election_timer_start =
      EngineTime() - 2 * static_cast<raft_time>(options_.election_timeout_ms);
}

int64_t LibraftCore::ElectionDeadline() const {
  const auto away = static_cast<int64_t>(raft_timeout(&raft_) - EngineTime());
  return now_ms_ + away;
}

void LibraftCore::Tick(int64_t now_ms) {
  if (closed_ || !started_) return;
  Advance(now_ms);
  ticked_ms_ = now_ms_;
  WatchDisk();
  if (closed_) return;
  PollReads();
  if (now_ms_ < ElectionDeadline()) return;
  if (passive() && raft_.state != RAFT_LEADER) return;
  const bool settled = raft_.last_stored == last_index().value() && !installing_;
  if (guards_.sole_voter_takes_term && raft_.state == RAFT_FOLLOWER && settled && IsSoleVoter()) {
    ++raft_.current_term;  // B4; the engine leads in the term it finds
    raft_.voted_for = raft_.id;
    actions_.push_back(SaveVote{term(), options_.self});
  }
  if (guards_.pre_vote_again && raft_.state == RAFT_CANDIDATE) {  // G14
    raft_.candidate_state.in_pre_vote = true;
    raft_.candidate_state.disrupt_leader = false;
  }
  raft_event event{};
  event.type = RAFT_TIMEOUT;
  MustStep(event, "take a timeout");
  PollReads();
}

void LibraftCore::Campaign(int64_t now_ms) {
  if (closed_ || !started_ || passive()) return;
  Advance(now_ms);
  if (raft_.state == RAFT_LEADER || leader().value() != 0) return;
  if (!configuration().IsVoter(options_.self)) return;
  EndElectionRound();
  Tick(now_ms);
}

int64_t LibraftCore::deadline_ms() const {
  if (closed_ || !started_) return std::numeric_limits<int64_t>::max();
  int64_t deadline = std::numeric_limits<int64_t>::max();
  // A leader that is alone has nobody to send heartbeats to.
  const bool alone = leads() && raft_.configuration.n == 1;
  if ((!passive() || raft_.state == RAFT_LEADER) && !alone) deadline = ElectionDeadline();
  if (const auto reads = reads_.deadline_ms()) deadline = std::min(deadline, *reads);
  if (aside_since_ms_) {
    deadline = std::min(deadline, leads() ? *aside_since_ms_ + options_.election_timeout_ms : 0);
  } else if (disk_waits_since_ms_ && guards_.give_up_broken_disk) {
    deadline = std::min(deadline, *disk_waits_since_ms_ + options_.disk_stall_ms + 1);
  }
  // A Tick that could do nothing (an engine's timer that stays due) is not repeated at once.
  return std::max(deadline, ticked_ms_ + 1);
}

// ---- disk ----

void LibraftCore::OnPersisted(Index index, int64_t now_ms) {
  if (closed_) return;
  Advance(now_ms);
  // Entries from before a reset, or of a log that has been cut since.
  if (installing_ || index.value() <= raft_.last_stored || index > last_index()) return;
  disk_waits_since_ms_ = index == last_index() ? std::nullopt : std::optional(now_ms_);
  raft_event event{};
  event.type = RAFT_PERSISTED_ENTRIES;
  event.persisted_entries.index = index.value();
  MustStep(event, "hear of durable entries");
  PollReads();
  WatchDisk();
}

void LibraftCore::OnLogReset(Index index, int64_t now_ms) {
  if (closed_) return;
  Advance(now_ms);
  if (!installing_ || installing_->last_index != index) return;
  raft_event event{};
  event.type = RAFT_PERSISTED_SNAPSHOT;
  raft_snapshot_metadata& metadata = event.persisted_snapshot.metadata;
  metadata.index = index.value();
  metadata.term = ToEngineTerm(installing_->last_term);
  metadata.configuration_index = installing_->configuration_index.value();
  metadata.configuration = ToEngine(configurations_.begin()->second);
  event.persisted_snapshot.last = true;
  configuration_applied_ = installing_->configuration_index;
  installing_.reset();
  disk_waits_since_ms_.reset();
  MustStep(event, "hear of a durable reset");
}

void LibraftCore::OnDiskFailed(int64_t now_ms) {
  if (closed_ || !guards_.give_up_broken_disk) return;
  Advance(now_ms);
  StepAside("the disk failed");
}

// Guard F. Nobody else can notice: a leader that cannot write still sends heartbeats.
void LibraftCore::WatchDisk() {
  if (!guards_.give_up_broken_disk) return;
  if (!aside_since_ms_ && disk_waits_since_ms_ &&
      now_ms_ - *disk_waits_since_ms_ > options_.disk_stall_ms) {
    StepAside(base::StrCat("the disk stored nothing for ", options_.disk_stall_ms, " ms"));
  }
  if (aside_since_ms_ && (!leads() || now_ms_ - *aside_since_ms_ >= options_.election_timeout_ms)) {
    Close(aside_reason_);
  }
}

// Hands leadership over, which needs no disk of ours, and closes when that is done or hopeless.
void LibraftCore::StepAside(std::string reason) {
  if (aside_since_ms_) return;
  aside_since_ms_ = now_ms_;
  aside_reason_ = std::move(reason);
  raft_event event{};
  event.type = RAFT_TRANSFER;
  event.transfer.server_id = kAnyServer;
  if (!leads() || Step(event) != 0) Close(aside_reason_);
}

void LibraftCore::OnCompacted(Index index, int64_t now_ms) {
  if (closed_ || installing_ || index <= snapshot_index()) return;
  Advance(now_ms);
  CAIRN_CHECK(index <= commit_ && index.value() <= raft_.last_stored,
              "retention removed what is not committed or not durable");
  const auto in_force = std::prev(configurations_.upper_bound(index));
  raft_event event{};
  event.type = RAFT_SNAPSHOT;
  event.snapshot.metadata.index = index.value();
  event.snapshot.metadata.term = ToEngineTerm(terms_.TermAt(index));
  event.snapshot.metadata.configuration_index = in_force->first.value();
  event.snapshot.metadata.configuration = ToEngine(in_force->second);
  configurations_.erase(configurations_.begin(), in_force);
  terms_.Compact(index);
  MustStep(event, "compact");
}

// ---- requests ----

absl::Status LibraftCore::NotLeader() const {
  std::map<std::string, std::string> metadata;
  std::string message = "this replica is not the leader";
  if (const NodeId known = leader(); known.value() > 0 && known != options_.self) {
    metadata["leader_id"] = std::to_string(known.value());
    message += base::StrCat("; node ", known.value(), " is");
  }
  return base::MakeError(absl::StatusCode::kUnavailable, message, base::reason::kNotLeader,
                         std::move(metadata));
}

int LibraftCore::Submit(StepEntries& entries) {
  // The engine wants a batch that is not null, and leaves it alone when entries are submitted.
  char batch = 0;
  for (raft_entry& view : entries.views) view.batch = &batch;
  raft_event event{};
  event.type = RAFT_SUBMIT;
  event.submit.entries = entries.views.data();
  event.submit.n = static_cast<unsigned>(entries.views.size());
  return Step(event, &entries);
}

absl::Status LibraftCore::CheckProposable(size_t entries) const {
  if (!leads() || passive() || aside_since_ms_ || raft_transferee(&raft_) != 0) return NotLeader();
  const uint64_t uncommitted = last_index().value() - raft_.commit_index;
  const uint64_t unpersisted = last_index().value() - raft_.last_stored;
  if (std::max(uncommitted, unpersisted) + entries > options_.max_uncommitted_entries) {
    return base::MakeError(
        absl::StatusCode::kResourceExhausted,
        base::StrCat(uncommitted, " entries wait for a majority and ", unpersisted,
                     " for this disk; the limit is ", options_.max_uncommitted_entries),
        base::reason::kOverloaded);
  }
  return absl::OkStatus();
}

absl::Status LibraftCore::Propose(std::span<const log::Entry> entries, int64_t now_ms) {
  Advance(now_ms);
  CAIRN_RETURN_IF_ERROR(CheckProposable(entries.size()));
  if (entries.empty()) return absl::OkStatus();
  Index expected = last_index();
  for (const log::Entry& entry : entries) {
    CAIRN_CHECK(entry.header.index == ++expected && entry.header.term == term(),
                "a proposal is not made for this place and term");
    CAIRN_CHECK(entry.header.kind == log::EntryKind::kBatch || !guards_.one_change_at_a_time,
                "only batches are proposed");
  }
  StepEntries views(entries, nullptr);
  if (Submit(views) != 0) return NotLeader();
  PollReads();
  return absl::OkStatus();
}

absl::Status LibraftCore::CheckChange(const Configuration& to) const {
  const auto refuse = [](const auto&... why) {
    return absl::FailedPreconditionError(base::StrCat("membership change: ", why...));
  };
  if (!configuration_committed()) {
    return refuse("the change at index ", raft_.configuration_uncommitted_index,
                  " is not committed yet");
  }
  if (raft_transferee(&raft_) != 0) return refuse("leadership is being handed over");
  if (guards_.own_term_first && !own_term_committed()) {  // M
    return refuse("nothing of term ", term().value(), " is committed yet");
  }
  if (!guards_.one_change_at_a_time) return absl::OkStatus();
  // G8
  const Configuration from = configuration();
  std::vector<NodeId> differing;
  for (const Member& member : to.members()) {
    if (from.RoleOf(member.node) != member.role) differing.push_back(member.node);
  }
  for (const Member& member : from.members()) {
    if (!to.Contains(member.node)) differing.push_back(member.node);
  }
  if (differing.size() != 1) {
    return refuse("'", to.ToString(), "' differs from '", from.ToString(), "' in ",
                  differing.size(), " members, not in one");
  }
  const NodeId node = differing.front();
  if (node == options_.self) return refuse("a leader does not change itself; transfer first");
  if (to.IsVoter(node)) {
    const auto match = MatchIndex(node);
    if (!match) return refuse("node ", node.value(), " is no standby yet");
    // Promoted before that, it could hold up every commit, or be unable to vote for anybody.
    if (*match + kMaxPromotionLag < last_index() ||
        match->value() < raft_.configuration_committed_index) {
      return refuse("standby ", node.value(), " is not caught up: it has ", match->value(), " of ",
                    last_index().value(), " entries");
    }
  }
  return absl::OkStatus();
}

absl::Status LibraftCore::ChangeConfiguration(const Configuration& to, int64_t now_ms) {
  Advance(now_ms);
  if (!leads() || passive() || aside_since_ms_) return NotLeader();
  CAIRN_RETURN_IF_ERROR(CheckChange(to));
  const std::vector<log::Entry> change = {log::MakeControlEntry(
      log::EntryKind::kConfiguration, to.Encode(), last_index() + 1, term(), Offset(0), 0)};
  const Configuration from = configuration();
  const auto keep_members = [this](const Configuration& of) {
    std::erase_if(newcomers_, [&](const auto& newcomer) { return !of.Contains(newcomer.first); });
  };
  for (const Member& member : to.members()) {
    if (!guards_.ask_newcomers || from.Contains(member.node)) continue;
    newcomers_[member.node] = kNewcomerProbe | change.front().header.index.value();
  }
  StepEntries views(change, nullptr);
  if (const int error = Submit(views); error != 0) {
    keep_members(from);
    return absl::FailedPreconditionError(
        base::StrCat("membership change: the engine refused: ", raft_strerror(error)));
  }
  keep_members(to);
  PollReads();
  return absl::OkStatus();
}

absl::Status LibraftCore::Transfer(NodeId to, int64_t now_ms) {
  Advance(now_ms);
  if (!leads() || aside_since_ms_) return NotLeader();
  raft_event event{};
  event.type = RAFT_TRANSFER;
  event.transfer.server_id = to.value() > 0 ? ToEngineId(to) : kAnyServer;
  if (raft_transferee(&raft_) != 0) {
    return absl::AbortedError("transfer: leadership is being handed over already");
  }
  if (const int error = Step(event); error != 0) {
    return absl::FailedPreconditionError(
        to.value() > 0 ? base::StrCat("transfer: node ", to.value(), " is no other voter")
                       : std::string("transfer: there is no other voter"));
  }
  return absl::OkStatus();
}

void LibraftCore::Read(uint64_t token, int64_t now_ms) {
  Advance(now_ms);
  if (!leads()) {
    actions_.push_back(ReadReady{token, std::nullopt});
    return;
  }
  if (!guards_.probe_before_read) {  // R
    actions_.push_back(ReadReady{token, commit_});
    return;
  }
  reads_.Add(token, now_ms_, actions_);
  PollReads();
}

void LibraftCore::PollReads() {
  if (reads_.empty()) return;
  if (!leads()) return reads_.Poll(nullptr, now_ms_, actions_);
  const ReadProbes::Leader self{options_.self, term(), commit_, own_term_committed(),
                                configuration()};
  reads_.Poll(&self, now_ms_, actions_);
}

// ---- what it knows ----

bool LibraftCore::IsSoleVoter() const {
  unsigned voters = 0;
  bool self = false;
  for (unsigned i = 0; i < raft_.configuration.n; ++i) {
    const raft_server& server = raft_.configuration.servers[i];
    voters += server.role == RAFT_VOTER;
    self |= server.role == RAFT_VOTER && server.id == raft_.id;
  }
  return self && voters == 1;
}

RaftState LibraftCore::state() const { return announced_.state; }

NodeId LibraftCore::leader() const {
  if (closed_ || raft_.state == RAFT_CANDIDATE) return NodeId();
  if (raft_.state == RAFT_LEADER) return options_.self;
  return FromEngineId(raft_.follower_state.current_leader.id);
}

Configuration LibraftCore::configuration() const { return FromEngine(raft_.configuration); }

bool LibraftCore::configuration_committed() const {
  return raft_.configuration_uncommitted_index == 0;
}

bool LibraftCore::own_term_committed() const { return leads() && terms_.TermAt(commit_) == term(); }

std::optional<Index> LibraftCore::MatchIndex(NodeId node) const {
  raft_index match = 0;
  if (!leads() || raft_match_index(&raft_, ToEngineId(node), &match) != 0) return std::nullopt;
  return Index(match);
}

}  // namespace cairn::consensus
