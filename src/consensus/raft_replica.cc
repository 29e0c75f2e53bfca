// RaftReplica: requests, messages, and the carrying out of the core's actions. What concerns the
// disk is in raft_replica_disk.cc.
#include "consensus/raft_replica.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::consensus {
namespace {

// A follower hears of a commit with the next entries or heartbeat; when there are none, after this
// time, so that those who read from it wait no longer. One message for all commits meanwhile.
constexpr int64_t kCommitNoticeNs = 2'000'000;
// Until it is tried again to read where the last committed entry ends.
constexpr int64_t kPublishPauseNs = 500'000'000;
// Bounds of the entries on their way to one follower, whatever their size.
constexpr uint64_t kMinInflightEntries = 16;
constexpr uint64_t kMaxInflightEntries = 8192;
// A timer that is set for later fires after this long, looks, and is set again.
constexpr int64_t kLongestTimerMs = 60'000;
// How often within a heartbeat's time a replica looks at the clock, at most.
constexpr int64_t kTimersPerHeartbeat = 4;

}  // namespace

RaftReplica::RaftReplica(Dependencies dependencies, Options options, std::unique_ptr<log::Log> log,
                         CoreState state, Owner& owner)
    : dependencies_(dependencies),
      options_(options),
      owner_(owner),
      log_(std::move(log)),
      published_(log_),
      initial_(std::move(state)),
      next_offset_(log_->end_offset()),
      traces_(dependencies.tracer, *dependencies.clock),
      high_watermark_(log_->start_offset()) {}

RaftReplica::~RaftReplica() = default;

void RaftReplica::Start() { StartCore(std::exchange(initial_, {})); }

void RaftReplica::DropWaiting() {
  const auto reads = std::exchange(reads_, {});
  const auto outboxes = std::exchange(outboxes_, {});
}

void RaftReplica::StartCore(const CoreState& state) {
  ++epoch_;
  outputs_.clear();
  stable_write_ = false;
  disk_failed_ = false;
  resetting_ = false;
  pending_ = {};
  unwritten_.clear();
  ends_.clear();
  next_offset_ = log_->end_offset();
  stored_last_ = log_->end_index() - 1;
  // What was known to be committed beyond what this disk held of it may differ from what the log
  // holds when it is opened again: a cut that failed has left there what never was committed.
  commit_index_ = std::min(commit_index_, persisted_);
  persisted_ = stored_last_;
  if (commit_index_ < state.snapshot_index) commit_index_ = state.snapshot_index;
  // What a sole voter has on its disk is committed: it was leader when its configuration and all
  // that followed became durable. Others learn from the leader what is.
  const bool alone = !state.configurations.empty() &&
                     state.configurations.rbegin()->second.IsSoleVoter(options_.self);
  if (alone) commit_index_ = std::max(commit_index_, state.last_index);
  CoreOptions options;
  options.self = options_.self;
  options.seed = dependencies_.random->Next();
  options.election_timeout_ms = options_.election_timeout_ms;
  // A part shorter: rounded up to where the timers of all leaders are, it is the whole.
  options.heartbeat_ms = options_.heartbeat_ms - TimerGridMs();
  core_ = NewRaftCore(options);
  // Alone there is nobody who could do better.
  passive_ = log_->damaged() && !alone;
  core_->SetPassive(passive_);
  if (const absl::Status started = core_->Start(state, NowMs()); !started.ok()) {
    Close(started);
    return;
  }
  failure_ = absl::OkStatus();
  if (alone) PublishCommitted();
  Drain();
}

// ---- requests ----

absl::Status RaftReplica::NotLeader() const {
  const NodeId known = leader();
  if (passive_ && known.value() == 0) {
    const auto damages = log_->damages();
    if (!damages.empty()) return log::DamagedWithoutLeader(damages.front());
  }
  std::map<std::string, std::string> metadata;
  if (known.value() != 0) metadata["leader_id"] = base::StrCat(known.value());
  return base::MakeError(
      absl::StatusCode::kUnavailable,
      known.value() == 0
          ? std::string("the partition has no leader now; try again")
          : base::StrCat("this node does not lead the partition; node ", known.value(), " does"),
      base::reason::kNotLeader, std::move(metadata));
}

absl::Status RaftReplica::CheckProposable() const {
  if (!failure_.ok()) return failure_;
  if (core_ == nullptr || core_->state() != RaftState::kLeader || stopping_) return NotLeader();
  if (passive_) {
    if (const auto damages = log_->damages(); !damages.empty()) {
      return log::DamagedWithoutLeader(damages.front());  // nobody has taken over
    }
  }
  return core_->CheckProposable(together_.size() + 1);
}

absl::StatusOr<log::EntryHeader> RaftReplica::Propose(log::Batch batch) {
  CAIRN_RETURN_IF_ERROR(CheckProposable());
  log::Entry entry = log::MakeBatchEntry(
      std::move(batch), core_->last_index() + together_.size() + 1, core_->term(), next_offset_);
  const log::EntryHeader header = entry.header;
  if (proposing_together_) {
    next_offset_ = header.end_offset();
    together_.push_back(std::move(entry));
    return header;
  }
  CAIRN_RETURN_IF_ERROR(core_->Propose({&entry, 1}, NowMs()));
  Drain();
  return header;
}

absl::Status RaftReplica::ProposeTogether(absl::FunctionRef<void()> propose) {
  CAIRN_CHECK(!proposing_together_, "proposals are gathered already");
  proposing_together_ = true;
  propose();
  proposing_together_ = false;
  const auto entries = std::exchange(together_, {});
  if (entries.empty()) return absl::OkStatus();
  if (const absl::Status proposed = core_->Propose(entries, NowMs()); !proposed.ok()) {
    next_offset_ = entries.front().header.base_offset;
    return proposed;
  }
  Drain();
  return absl::OkStatus();
}

void RaftReplica::ReadBarrier(absl::AnyInvocable<void(absl::Status)> done) {
  // Whoever finds the replica may ask before it was started.
  if (!failure_.ok() || core_ == nullptr || core_->state() != RaftState::kLeader) {
    dependencies_.loop->Post([status = failure_.ok() ? NotLeader() : failure_,
                              done = std::move(done)]() mutable { done(std::move(status)); });
    return;
  }
  const uint64_t token = next_read_++;
  reads_[token].done = std::move(done);
  core_->Read(token, NowMs());
  Drain();
}

absl::Status RaftReplica::ChangeConfiguration(const Configuration& to) {
  if (!failure_.ok()) return failure_;
  CAIRN_RETURN_IF_ERROR(core_->ChangeConfiguration(to, NowMs()));
  Drain();
  return absl::OkStatus();
}

absl::Status RaftReplica::Transfer(NodeId to) {
  if (!failure_.ok()) return failure_;
  CAIRN_RETURN_IF_ERROR(core_->Transfer(to, NowMs()));
  Drain();
  return absl::OkStatus();
}

void RaftReplica::Campaign() {
  if (core_ == nullptr || stopping_) return;
  core_->Campaign(NowMs());
  Drain();
}

void RaftReplica::CheckDamage() {
  if (core_ == nullptr || stopping_) return;
  const bool passive = log_->damaged() && !core_->configuration().IsSoleVoter(options_.self);
  const bool leads = core_->state() == RaftState::kLeader;
  if (passive == passive_ && !(passive && leads)) return;
  passive_ = passive;
  core_->SetPassive(passive);
  // Whoever takes over has all that is committed. When nobody can now, this one takes no more, and
  // the next look tries again.
  if (passive && leads) core_->Transfer(NodeId(), NowMs()).IgnoreError();
  Drain();
}

void RaftReplica::Receive(NodeId from, Message message) {
  if (core_ == nullptr || stopping_) return;
  const auto* append = std::get_if<AppendEntries>(&message);
  // Of the leader that is known; a new one waits for the first answers.
  answering_heartbeat_ = append != nullptr && append->entries.empty() &&
                         append->term == core_->term() && from == core_->leader();
  core_->Receive(from, std::move(message), NowMs());
  if (!traces_.empty()) {
    if (const auto match = core_->MatchIndex(from)) traces_.OnAcknowledged(from, *match);
  }
  Drain();
  answering_heartbeat_ = false;
}

ReplicaStatus RaftReplica::Status() const {
  ReplicaStatus status;
  status.open = failure_.ok() && core_ != nullptr;
  status.trouble = std::string(failure_.message());
  status.high_watermark = high_watermark_;
  status.first_index = log_->first_index();
  if (core_ == nullptr) return status;
  status.state = core_->state();
  status.term = core_->term();
  status.leader = core_->leader();
  status.commit_index = core_->commit_index();
  status.last_index = core_->last_index();
  status.configuration = core_->configuration();
  status.configuration_committed = core_->configuration_committed();
  status.own_term_committed = core_->own_term_committed();
  for (const Member& member : status.configuration.members()) {
    if (const auto match = core_->MatchIndex(member.node)) status.match[member.node] = *match;
  }
  return status;
}

// ---- actions ----

void RaftReplica::Drain() {
  for (Action& action : core_->TakeActions()) {
    if (auto* store = std::get_if<StoreEntries>(&action)) NoteStored(*store);
    outputs_.push_back(std::move(action));
  }
  Perform();
  if (core_ != nullptr) ArmTimer();
}

// What proposals and commits that follow at once need to know of entries, before the disk has
// heard of them.
void RaftReplica::NoteStored(StoreEntries& store) {
  while (!ends_.empty() && ends_.back().index >= store.first) ends_.pop_back();
  while (!unwritten_.empty() && unwritten_.back().header.index >= store.first) {
    unwritten_.pop_back();
  }
  const bool leading = core_->state() == RaftState::kLeader;
  if (!leading && !store.entries.empty()) {
    const Offset first = store.entries.front().header.base_offset;
    if (first < next_offset_) owner_.OnTruncated(first);
    traces_.OnTruncated(store.first);
  }
  for (log::Entry& entry : store.entries) {
    if (store.made_here) {
      entry.header.base_offset = next_offset_;
      entry.header.base_timestamp_ms = dependencies_.clock->WallMs();
      entry.header.max_timestamp_ms = entry.header.base_timestamp_ms;
    }
    next_offset_ = entry.header.end_offset();
    ends_.push_back({entry.header.index, next_offset_});
    unwritten_.push_back(entry);
    traces_.OnStored(entry, leading, core_->configuration().members().size() - 1);
  }
  if (!leading) owner_.OnAppended(store.entries);
}

bool RaftReplica::NeedsStableWrite(const Action& action) const {
  if (std::holds_alternative<SaveVote>(action) || std::holds_alternative<ResetLog>(action)) {
    return true;
  }
  const auto* store = std::get_if<StoreEntries>(&action);
  return store != nullptr &&
         std::any_of(store->entries.begin(), store->entries.end(), [](const log::Entry& entry) {
           return entry.header.kind == log::EntryKind::kConfiguration;
         });
}

void RaftReplica::WriteStable(const Action& held) {
  StableStore::Changes changes(options_.group);
  if (const auto* vote = std::get_if<SaveVote>(&held)) changes.SetVote(vote->term, vote->vote);
  if (const auto* reset = std::get_if<ResetLog>(&held)) {
    const auto configuration = Configuration::Decode(reset->snapshot.configuration);
    CAIRN_CHECK(configuration.ok(), "the core takes no snapshot that CheckMessage refused");
    // As that of the snapshot's last entry: what stands under the index of the configuration's own
    // entry is of the log that is here, and stays when the disk cannot replace it.
    changes.SetConfiguration(reset->snapshot.last_index, reset->snapshot.last_term, *configuration);
  }
  if (const auto* store = std::get_if<StoreEntries>(&held)) {
    for (const log::Entry& entry : store->entries) {
      if (entry.header.kind != log::EntryKind::kConfiguration) continue;
      const auto configuration = Configuration::Decode(entry.body());
      CAIRN_CHECK(configuration.ok(), "the core takes no configuration that CheckMessage refused");
      changes.SetConfiguration(entry.header.index, entry.header.term, *configuration);
    }
  }
  stable_write_ = true;
  dependencies_.stable->Write(
      std::move(changes), *dependencies_.loop,
      [self = shared_from_this(), epoch = epoch_](const absl::Status& status) {
        if (epoch != self->epoch_ || self->core_ == nullptr) return;
        self->stable_write_ = false;
        // Guard F (c): a vote that is not durable closes the group; nothing of the step is sent.
        if (!status.ok()) return self->Close(status);
        Action action = std::move(self->outputs_.front());
        self->outputs_.pop_front();
        self->PerformOne(action);
        self->Perform();
        if (self->core_ != nullptr) self->ArmTimer();
      });
}

void RaftReplica::Perform() {
  while (core_ != nullptr && !stable_write_ && !outputs_.empty()) {
    if (NeedsStableWrite(outputs_.front())) return WriteStable(outputs_.front());
    Action action = std::move(outputs_.front());
    outputs_.pop_front();
    PerformOne(action);
  }
}

void RaftReplica::PerformOne(Action& action) {
  std::visit(
      [this](auto& one) {
        using T = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<T, StoreEntries>) {
          Store(std::move(one));
        } else if constexpr (std::is_same_v<T, ResetLog>) {
          Reset(one);
        } else if constexpr (std::is_same_v<T, SendMessage>) {
          Send(std::move(one));
        } else if constexpr (std::is_same_v<T, CommitTo>) {
          AdvanceCommit(one.index);
        } else if constexpr (std::is_same_v<T, StateChanged>) {
          OnStateChanged(one);
        } else if constexpr (std::is_same_v<T, ReadReady>) {
          FinishRead(one);
        } else if constexpr (std::is_same_v<T, CoreClosed>) {
          OnCoreClosed(one);
        } else {
          static_assert(std::is_same_v<T, SaveVote>);  // durable by now; nothing more to do
        }
      },
      action);
}

void RaftReplica::Send(SendMessage send) {
  if (auto* snapshot = std::get_if<InstallSnapshot>(&send.message)) {
    const log::LogStart first = log_->first();
    if (first.index != snapshot->last_index + 1) return;  // retention was faster; it comes again
    snapshot->start_offset = first.offset;
    snapshot->state = owner_.SnapshotState();
    dependencies_.counters->snapshots_sent.Add();
  }
  auto& outbox = outboxes_[send.to];
  if (outbox == nullptr) {
    outbox = std::make_shared<PeerOutbox>(send.to, options_.group, *this, *dependencies_.peers,
                                          *dependencies_.loop);
  }
  // Heartbeats, and the answers to them, of many groups go together.
  const auto* append = std::get_if<AppendEntries>(&send.message);
  const bool routine =
      (append != nullptr && append->count == 0 && core_->own_term_committed()) ||
      (answering_heartbeat_ && std::holds_alternative<AppendEntriesResult>(send.message));
  outbox->Push(std::move(send.message), routine ? Urgency::kSoon : Urgency::kNow);
}

void RaftReplica::OnStateChanged(const StateChanged& change) {
  const bool leads = change.state == RaftState::kLeader;
  const bool led = is_leader_.exchange(leads, std::memory_order_acq_rel);
  if (!leads) serves_.store(false, std::memory_order_release);
  const Term old_term = Term(term_.exchange(change.term.value(), std::memory_order_acq_rel));
  const NodeId old = NodeId(leader_.exchange(change.leader.value(), std::memory_order_acq_rel));
  if (led && !leads) {
    for (auto& [node, outbox] : outboxes_) outbox->Close();
    outboxes_.clear();
    owner_.OnAbandoned(failure_.ok() ? NotLeader() : failure_);
    traces_.Abandon(failure_.ok() ? NotLeader() : failure_);
  }
  // Who does not follow and is in a new term stood for it; a pre-vote begins none.
  if (change.state != RaftState::kFollower && change.term > old_term) {
    dependencies_.counters->elections.Add();
  }
  if (old != change.leader && change.leader.value() != 0) {
    dependencies_.counters->leader_changes.Add();
  }
  if (old != change.leader || led != leads) owner_.OnLeader(change.leader);
}

// ---- commit ----

absl::StatusOr<Offset> RaftReplica::EndOffsetOf(Index index) const {
  if (!ends_.empty() && index >= ends_.front().index) {
    return ends_[index - ends_.front().index].end;
  }
  const log::LogStart first = log_->first();
  if (index < first.index) return first.offset;
  CAIRN_ASSIGN_OR_RETURN(const auto entries, log_->ReadByIndex(index, index + 1, 1));
  return entries.front().header.end_offset();
}

void RaftReplica::AdvanceCommit(Index index) {
  commit_index_ = std::max(commit_index_, index);
  traces_.OnCommitted(index);
  PublishCommitted();
  if (is_leader()) TellFollowersOfCommit();
}

// Readers read from the log: what others have committed and this disk does not have yet waits.
void RaftReplica::PublishCommitted() {
  const Index readable = std::min(commit_index_, persisted_);
  if (readable.value() == 0 || resetting_) return;
  const auto end = EndOffsetOf(readable);
  if (!end.ok()) {
    // Damage is met by the reads that it concerns; a disk that fails may do so no more soon.
    if (!absl::IsDataLoss(end.status())) PublishLater();
    return;
  }
  while (!ends_.empty() && ends_.front().index < readable) ends_.pop_front();
  if (*end > high_watermark_ || !has_published_) {
    has_published_ = true;
    high_watermark_ = std::max(high_watermark_, *end);
    owner_.OnCommitted(high_watermark_);
  }
  if (core_ != nullptr && core_->own_term_committed() && readable == commit_index_) {
    serves_.store(true, std::memory_order_release);
  }
  for (auto it = reads_.begin(); it != reads_.end();) {
    if (it->second.index && *it->second.index <= readable) {
      auto done = std::move(it->second.done);
      it = reads_.erase(it);
      done(absl::OkStatus());
    } else {
      ++it;
    }
  }
}

void RaftReplica::PublishLater() {
  if (std::exchange(publishes_later_, true)) return;
  dependencies_.loop->PostAfter(kPublishPauseNs, [self = shared_from_this()] {
    self->publishes_later_ = false;
    if (self->core_ != nullptr && !self->stopping_) self->PublishCommitted();
  });
}

void RaftReplica::TellFollowersOfCommit() {
  if (commit_notice_) return;
  commit_notice_ = true;
  dependencies_.loop->PostAfter(kCommitNoticeNs, [self = shared_from_this()] {
    self->commit_notice_ = false;
    if (self->core_ == nullptr || self->core_->state() != RaftState::kLeader) return;
    for (auto& [node, outbox] : self->outboxes_) {
      const auto match = self->core_->MatchIndex(node);
      if (!match || match->value() == 0 || outbox->waiting() > 0) continue;
      const Term term = self->core_->TermAt(*match);
      if (term.value() == 0) continue;
      AppendEntries notice;
      notice.term = self->core_->term();
      notice.prev_index = *match;
      notice.prev_term = term;
      notice.commit = std::min(self->core_->commit_index(), *match);
      outbox->Push(std::move(notice));
    }
  });
}

void RaftReplica::FinishRead(const ReadReady& ready) {
  const auto it = reads_.find(ready.token);
  if (it == reads_.end()) return;
  if (ready.index) {
    it->second.index = ready.index;
    return PublishCommitted();
  }
  auto done = std::move(it->second.done);
  reads_.erase(it);
  done(NotLeader());
}

// ---- time ----

int64_t RaftReplica::TimerGridMs() const {
  return std::max<int64_t>(options_.heartbeat_ms / kTimersPerHeartbeat, 1);
}

// The timers of all groups of a node come due at the same few instants, those of all its leaders at
// the same one in a heartbeat's time, so that they share wake-ups and writes. Those instants differ
// from node to node, so that elections do not collide.
int64_t RaftReplica::RoundUpDeadline(int64_t due_ms) const {
  const bool leads = core_->state() == RaftState::kLeader;
  const int64_t grid = leads ? options_.heartbeat_ms : TimerGridMs();
  if (due_ms > std::numeric_limits<int64_t>::max() - grid) return due_ms;
  const int64_t phase = options_.self.value() * 7 % grid;
  return (due_ms - phase + grid - 1) / grid * grid + phase;
}

void RaftReplica::ArmTimer() {
  const int64_t due = RoundUpDeadline(core_->deadline_ms());
  if (timer_ != 0 && timer_ms_ <= due) return;  // fires early, looks, and is set again
  dependencies_.loop->Cancel(timer_);
  timer_ms_ = due;
  // A replica that must not stand for election waits for nothing: its deadline is the end of time.
  const int64_t delay_ms = std::clamp<int64_t>(due - NowMs(), 1, kLongestTimerMs);
  timer_ = dependencies_.loop->PostAfter(delay_ms * 1'000'000, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnTimer();
  });
}

void RaftReplica::OnTimer() {
  timer_ = 0;
  timer_ms_ = INT64_MAX;
  if (core_ == nullptr || stopping_) return;
  core_->Tick(NowMs());
  Drain();
}

// ---- what outboxes ask ----

std::optional<std::vector<log::Entry>> RaftReplica::EntriesInMemory(Index from, Index limit,
                                                                    size_t max_bytes) {
  if (unwritten_.empty() || from < unwritten_.front().header.index) {
    // Cached entries of the log end where the unwritten ones begin, or overlap with them.
    return log_->ReadCachedByIndex(from, std::min(limit, log_->end_index()), max_bytes);
  }
  std::vector<log::Entry> entries;
  size_t bytes = 0;
  for (size_t at = from - unwritten_.front().header.index;
       at < unwritten_.size() && unwritten_[at].header.index < limit; ++at) {
    if (bytes > 0 && bytes + unwritten_[at].size_bytes() > max_bytes) break;
    bytes += unwritten_[at].size_bytes();
    entries.push_back(unwritten_[at]);
  }
  if (entries.empty()) return std::nullopt;
  return entries;
}

void RaftReplica::ReadEntries(Index from, Index limit, size_t max_bytes, ReadCallback done) {
  auto read = [self = shared_from_this(), log = log_, from, limit, max_bytes,
               done = std::move(done)]() mutable {
    auto entries = log->ReadByIndex(from, std::min(limit, log->end_index()), max_bytes);
    self->dependencies_.loop->Post(
        [self, entries = std::move(entries), done = std::move(done)]() mutable {
          done(std::move(entries));
        });
  };
  dependencies_.reader->Post(std::move(read));
}

void RaftReplica::OnSend(NodeId to, std::span<log::Entry> entries) {
  // What was traced when it was written is not, when it is sent again much later.
  for (log::Entry& entry : entries) {
    if (entry.trace.sampled) entry.trace = traces_.ContextFor(to, entry);
  }
}

bool RaftReplica::LeadsIn(Term term) const {
  return core_ != nullptr && core_->state() == RaftState::kLeader && core_->term() == term;
}

Term RaftReplica::TermAt(Index index) const {
  return core_ == nullptr ? Term() : core_->TermAt(index);
}

Index RaftReplica::commit_index() const {
  return core_ == nullptr ? Index() : core_->commit_index();
}

// The core counts what is on its way in entries; what matters is bytes.
void RaftReplica::SetInflightLimit(const std::vector<log::Entry>& entries) {
  if (entries.empty()) return;
  uint64_t bytes = 0;
  for (const log::Entry& entry : entries) bytes += entry.size_bytes();
  const uint64_t average = std::max<uint64_t>(bytes / entries.size(), 1);
  core_->SetMaxInflight(static_cast<uint32_t>(
      std::clamp(options_.max_inflight_bytes / average, kMinInflightEntries, kMaxInflightEntries)));
}

}  // namespace cairn::consensus
