#include "cluster/membership.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/gossip_files.h"
#include "cluster/gossip_status.h"
#include "cluster/group_id.h"
#include "env/host_port.h"

namespace cairn::cluster {
namespace {

using gossip::MemberStatus;
using gossip::Serf;
using gossip::SerfMember;

constexpr int64_t kLookNs = 250'000'000;
// The snapshot is written at most so often.
constexpr int64_t kSaveNs = 1'000'000'000;
// That nobody answers is said again after so long.
constexpr int64_t kSayAgainNs = 60'000'000'000;
// A stop waits for the leave: each of its two messages gets half a second to go around.
constexpr int64_t kLeaveBroadcastNs = 500'000'000;
constexpr int64_t kLeavePropagateNs = 200'000'000;
constexpr int64_t kLeaveLimitNs = 2'000'000'000;
// Whoever forges members should not make the joiner ask for ever.
constexpr size_t kMaxCandidates = 100;
constexpr size_t kMaxStrangers = 1000;
constexpr size_t kMaxPrunedAtOnce = 16;

absl::Status Stopped() {
  return base::MakeError(absl::StatusCode::kUnavailable, "the node is shutting down",
                         base::reason::kShuttingDown);
}

std::string TagOf(const SerfMember& member, const char* name) {
  const auto it = member.tags.find(name);
  return it == member.tags.end() ? "" : it->second;
}

NodeId NodeIdOf(const SerfMember& member) {
  const std::string text = TagOf(member, kNodeIdTag);
  int32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool whole = error == std::errc() && end == text.data() + text.size() && id > 0;
  return whole ? NodeId(id) : NodeId();
}

}  // namespace

std::string_view ToString(MemberKind kind) {
  switch (kind) {
    case MemberKind::kBroker:
      return "broker";
    case MemberKind::kJoining:
      return "joining";
    case MemberKind::kOtherCluster:
      return "other cluster";
    case MemberKind::kForeign:
      break;
  }
  return "foreign";
}

Membership::Membership(Dependencies dependencies, MembershipOptions options)
    : dependencies_(std::move(dependencies)),
      options_(std::move(options)),
      joins_(*dependencies_.random),
      known_(options_.restored.members) {}

absl::StatusOr<std::shared_ptr<Membership>> Membership::Start(Dependencies dependencies,
                                                              MembershipOptions options) {
  std::shared_ptr<Membership> membership(
      new Membership(std::move(dependencies), std::move(options)));
  const Dependencies& with = membership->dependencies_;
  const MembershipOptions& wanted = membership->options_;
  gossip::SerfConfig config;
  config.swim.name = wanted.description.name;
  if (!wanted.advertised_ip.empty()) {
    CAIRN_ASSIGN_OR_RETURN(config.swim.address,
                           gossip::Address::Parse(env::FormatHostPort(wanted.advertised_ip, 0)));
  }
  config.tags = membership->tags_ = membership->TagsNow();
  config.keys = wanted.keys;
  config.broadcast_timeout_ns = kLeaveBroadcastNs;
  config.leave_propagate_ns = kLeavePropagateNs;
  // Whoever calls the callback is owned by the membership.
  CAIRN_ASSIGN_OR_RETURN(auto node, gossip::GossipNode::Start(
                                        wanted.bind_address, std::move(config), *with.network,
                                        *with.executor, *with.clock, *with.random,
                                        [raw = membership.get()](const gossip::SerfEvent& event) {
                                          raw->OnEvent(event);
                                        },
                                        wanted.restored));
  const auto bound = env::ParseHostPort(node->local_address());
  CAIRN_RETURN_IF_ERROR(bound.status());
  membership->address_ = wanted.advertised_ip.empty()
                             ? node->local_address()
                             : env::FormatHostPort(wanted.advertised_ip, bound->port);
  // From here on the node is the executor's.
  with.executor->Post([membership, node = std::move(node)]() mutable {
    membership->gossip_ = std::move(node);
    membership->Tick();
  });
  return membership;
}

void Membership::Attach(Node* node) {
  dependencies_.executor->Post([self = shared_from_this(), node] {
    if (self->gossip_ == nullptr) return;
    self->node_ = node;
    if (!self->options_.keys_on_disk) self->SaveKeyring();
    self->Look();
  });
}

// ---- what others ask ----

std::vector<std::string> Membership::JoinCandidates() const {
  base::MutexLock lock(mutex_);
  return candidates_;
}

std::map<NodeId, GossipObservation> Membership::Observe() const {
  base::MutexLock lock(mutex_);
  return observed_;
}

uint64_t Membership::other_cluster_members() const {
  base::MutexLock lock(mutex_);
  return stranger_count_;
}

void Membership::List(absl::AnyInvocable<void(absl::StatusOr<std::vector<GossipMember>>)> done) {
  dependencies_.executor->Post([self = shared_from_this(), done = std::move(done)]() mutable {
    if (self->gossip_ == nullptr) return done(Stopped());
    std::vector<GossipMember> members;
    for (const auto& [name, member] : self->gossip_->serf().members()) {
      members.push_back({.name = name,
                         .address = member.address.ToString(),
                         .status = member.status,
                         .kind = self->KindOf(member),
                         .tags = member.tags});
    }
    done(std::move(members));
  });
}

void Membership::Count(absl::AnyInvocable<void(absl::StatusOr<GossipState>)> done) {
  dependencies_.executor->Post([self = shared_from_this(), done = std::move(done)]() mutable {
    if (self->gossip_ == nullptr) return done(Stopped());
    const Serf& serf = self->gossip_->serf();
    GossipState state{.members = {},
                      .swim = serf.swim().counters(),
                      .serf = serf.counters(),
                      .node = self->gossip_->counters()};
    for (const auto& [name, member] : serf.members()) {
      ++state.members[{member.status, self->KindOf(member)}];
    }
    done(std::move(state));
  });
}

void Membership::ChangeKeys(gossip::KeyOperation operation, std::string key,
                            absl::AnyInvocable<void(absl::StatusOr<gossip::KeyResult>)> done) {
  dependencies_.executor->Post([self = shared_from_this(), operation, key = std::move(key),
                                done = std::move(done)]() mutable {
    if (self->gossip_ == nullptr) return done(Stopped());
    // Either the query is refused at once, or its end is told.
    auto shared = std::make_shared<decltype(done)>(std::move(done));
    const absl::Status asked = self->gossip_->With([&](Serf& serf) {
      return serf.AskKeys(operation, key,
                          [shared](gossip::KeyResult result) { (*shared)(std::move(result)); });
    });
    if (!asked.ok()) (*shared)(asked);
  });
}

void Membership::SendEvent(std::string name, std::string payload,
                           absl::AnyInvocable<void(absl::Status)> done) {
  dependencies_.executor->Post([self = shared_from_this(), name = std::move(name),
                                payload = std::move(payload), done = std::move(done)]() mutable {
    if (self->gossip_ == nullptr) return done(Stopped());
    done(self->gossip_->With([&](Serf& serf) {
      return serf.SendEvent(std::move(name), std::move(payload), /*coalesce=*/false);
    }));
  });
}

void Membership::Leave(absl::AnyInvocable<void()> done) {
  dependencies_.executor->Post([self = shared_from_this(), done = std::move(done)]() mutable {
    if (self->gossip_ == nullptr || self->leave_ended_) return done();
    self->when_left_.push_back(std::move(done));
    if (self->left_) return;
    if (self->AliveOthers() == 0) {
      self->left_ = true;
      return self->EndLeave();
    }
    self->SaveSnapshot();  // whom to ask after the next start
    self->left_ = true;
    self->dependencies_.executor->PostAfter(kLeaveLimitNs, [self] { self->EndLeave(); });
    self->gossip_->With([&](Serf& serf) { serf.Leave([self] { self->EndLeave(); }); });
  });
}

void Membership::EndLeave() {
  leave_ended_ = true;
  for (auto& done : std::exchange(when_left_, {})) done();
}

void Membership::Stop(absl::AnyInvocable<void()> done) {
  dependencies_.executor->Post([self = shared_from_this(), done = std::move(done)]() mutable {
    if (self->gossip_ != nullptr) {
      self->saved_ns_ = 0;
      self->SaveSnapshot();
      self->dependencies_.executor->Cancel(self->timer_);
      self->gossip_.reset();
      self->node_ = nullptr;
    }
    self->dependencies_.files->Post(std::move(done));
  });
}

// ---- what happens ----

void Membership::OnEvent(const gossip::SerfEvent& event) {
  if (const auto* change = std::get_if<gossip::MemberEvent>(&event)) {
    OnMemberEvent(*change);
  } else if (const auto* user = std::get_if<gossip::UserEvent>(&event)) {
    Event(EventLevel::kInfo, "user event",
          {{"name", user->name}, {"payload_bytes", base::StrCat(user->payload.size())}});
  } else if (std::holds_alternative<gossip::KeyringChanged>(event)) {
    Event(EventLevel::kInfo, "gossip keyring changed", {});
    SaveKeyring();
  } else if (const auto* lost = std::get_if<gossip::NameLost>(&event)) {
    Event(EventLevel::kError, "another node gossips under this name",
          {{"name", options_.description.name},
           {"other", lost->other.ToString()},
           {"hint", "choose another --node-name, or keep --bind-addr over restarts"}});
  }
}

void Membership::OnMemberEvent(const gossip::MemberEvent& event) {
  if (event.change != gossip::MemberChange::kUpdated) {
    Event(EventLevel::kInfo, std::string(ToString(event.change)),
          {{"name", event.member.name},
           {"address", event.member.address.ToString()},
           {"kind", std::string(ToString(KindOf(event.member)))}});
  }
  LookSoon();
  if (node_ != nullptr) node_->Wake();
}

// Many events may come at once: one look is enough.
void Membership::LookSoon() {
  if (std::exchange(look_is_due_, true)) return;
  dependencies_.executor->Post([self = shared_from_this()] {
    self->look_is_due_ = false;
    self->Look();
  });
}

void Membership::Tick() {
  if (gossip_ == nullptr) return;
  Look();
  timer_ =
      dependencies_.executor->PostAfter(kLookNs, [self = shared_from_this()] { self->Tick(); });
}

void Membership::Look() {
  if (gossip_ == nullptr) return;
  if (node_ != nullptr && node_->id().value() != 0) {
    cluster_ = node_->metadata()->metadata.cluster_id;
  }
  UpdateTags();
  ObserveMembers();
  if (left_) return;
  JoinMore();
  FollowRemovals();
  if (dependencies_.clock->MonotonicNs() - saved_ns_ >= kSaveNs) SaveSnapshot();
}

gossip::Tags Membership::TagsNow() const {
  gossip::Tags tags = {{kRpcAddressTag, options_.description.rpc_address},
                       {kVersionTag, options_.description.version}};
  if (!options_.description.rack.empty()) tags[kRackTag] = options_.description.rack;
  if (!cluster_.is_nil()) {
    tags[kClusterTag] = cluster_.ToString();
    tags[kNodeIdTag] = base::StrCat(node_->id().value());
  }
  return tags;
}

void Membership::UpdateTags() {
  if (left_) return;
  gossip::Tags tags = TagsNow();
  if (tags == tags_) return;
  tags_ = tags;
  const absl::Status set = gossip_->With([&](Serf& serf) { return serf.SetTags(std::move(tags)); });
  if (!set.ok()) {
    Event(EventLevel::kError, "gossip tags", {{"error", std::string(set.message())}});
  }
}

MemberKind Membership::KindOf(const SerfMember& member) const {
  if (!member.tags.contains(kRpcAddressTag)) return MemberKind::kForeign;
  const std::string cluster = TagOf(member, kClusterTag);
  if (cluster.empty()) return MemberKind::kJoining;
  // A node that is in no cluster yet may join any.
  if (cluster_.is_nil() || cluster == cluster_.ToString()) return MemberKind::kBroker;
  return MemberKind::kOtherCluster;
}

size_t Membership::AliveOthers() const {
  size_t alive = 0;
  for (const auto& [name, member] : gossip_->serf().members()) {
    if (name != options_.description.name && member.status == MemberStatus::kAlive) ++alive;
  }
  return alive;
}

void Membership::ObserveMembers() {
  const int64_t now_ms = dependencies_.clock->MonotonicNs() / 1'000'000;
  std::vector<std::string> candidates;
  for (const std::string& address : options_.join_addresses) {
    // Where gossip does not answer may be the address of RPC.
    if (!joins_.ErrorOf(address).empty()) candidates.push_back(address);
  }
  std::map<NodeId, GossipObservation> observed;
  const auto& members = gossip_->serf().members();
  std::erase_if(since_, [&](const auto& entry) { return !members.contains(entry.first); });
  for (const auto& [name, member] : members) {
    Since& since = since_[name];
    if (since.status != member.status) since = {member.status, now_ms};
    const MemberKind kind = KindOf(member);
    if (kind == MemberKind::kOtherCluster) NameStranger(member);
    if (kind != MemberKind::kBroker) continue;
    const std::string rpc_address = TagOf(member, kRpcAddressTag);
    if (name != options_.description.name && member.status == MemberStatus::kAlive &&
        candidates.size() < kMaxCandidates &&
        std::find(candidates.begin(), candidates.end(), rpc_address) == candidates.end()) {
      candidates.push_back(rpc_address);
    }
    if (const NodeId id = NodeIdOf(member); id.value() != 0 && !cluster_.is_nil()) {
      observed[id] = {.status = ToGossipStatus(member.status), .since_ms = since.ms};
    }
  }
  base::MutexLock lock(mutex_);
  candidates_ = std::move(candidates);
  observed_ = std::move(observed);
  stranger_count_ = strangers_.size();
}

void Membership::NameStranger(const SerfMember& member) {
  const std::string cluster = TagOf(member, kClusterTag);
  if (strangers_.size() >= kMaxStrangers) return;
  if (!strangers_.insert(base::StrCat(member.name, " ", cluster)).second) return;
  Event(EventLevel::kWarn, "member of another cluster",
        {{"name", member.name},
         {"address", member.address.ToString()},
         {"cluster", cluster},
         {"hint", "it is not used; gossip of two clusters should not mix"}});
}

// ---- whom to gossip with ----

void Membership::JoinMore() {
  const bool alone = AliveOthers() == 0;
  std::set<std::string> wanted;
  if (alone || cluster_.is_nil()) {
    wanted.insert(options_.join_addresses.begin(), options_.join_addresses.end());
  }
  if (alone) {
    for (const auto& known : known_) wanted.insert(known.address.ToString());
  }
  if (node_ != nullptr && !cluster_.is_nil()) {
    const auto view = node_->metadata();
    for (const auto& [id, node] : view->metadata.nodes) {
      if (id == node_->id() || !node.holds_name() || node.description.gossip_address.empty()) {
        continue;
      }
      const SerfMember* member = gossip_->serf().Find(node.description.name);
      if (member == nullptr || member->status != MemberStatus::kAlive) {
        wanted.insert(node.description.gossip_address);
      }
    }
  }
  wanted.erase(address_);
  SayAlone(alone && !wanted.empty());
  for (const std::string& address : joins_.TakeDue(wanted, dependencies_.clock->MonotonicNs())) {
    JoinAddress(address);
  }
}

// The joiner says of its addresses that they do not answer; this is for everybody else.
void Membership::SayAlone(bool wanted) {
  if (!wanted || cluster_.is_nil()) return;
  const int64_t now_ns = dependencies_.clock->MonotonicNs();
  if (alone_said_ns_ == 0) alone_said_ns_ = now_ns - kSayAgainNs + 10 * kSaveNs;
  if (now_ns - alone_said_ns_ < kSayAgainNs) return;
  alone_said_ns_ = now_ns;
  Event(EventLevel::kInfo, "nobody answers gossip yet", {});
}

void Membership::JoinAddress(const std::string& address) {
  if (const auto parsed = gossip::Address::Parse(address); parsed.ok()) {
    return TryEach(address, {*parsed});
  }
  dependencies_.files->Post([self = shared_from_this(), address] {
    std::vector<gossip::Address> found;
    absl::Status status;
    if (const auto parts = env::ParseHostPort(address); !parts.ok()) {
      status = parts.status();
    } else if (const auto hosts = self->dependencies_.resolve(parts->host); !hosts.ok()) {
      status = hosts.status();
    } else {
      for (const std::string& host : *hosts) {
        auto parsed = gossip::Address::Parse(env::FormatHostPort(host, parts->port));
        if (parsed.ok()) found.push_back(*parsed);
      }
    }
    self->dependencies_.executor->Post([self, address, status, found = std::move(found)]() mutable {
      if (self->gossip_ == nullptr) return;
      if (!status.ok()) return self->OnJoinEnd(address, status);
      self->TryEach(address, std::move(found));
    });
  });
}

// One address of a name after the other, until one answers.
void Membership::TryEach(const std::string& address, std::vector<gossip::Address> left) {
  if (left.empty()) return OnJoinEnd(address, absl::UnavailableError("no usable IP address"));
  const gossip::Address next = left.front();
  left.erase(left.begin());
  const bool ignore_old = options_.restored.event_time != 0;
  gossip_->With([&](Serf& serf) {
    serf.Join(
        next, ignore_old,
        [self = weak_from_this(), address, left = std::move(left)](absl::Status joined) mutable {
          const auto membership = self.lock();
          if (membership == nullptr || membership->gossip_ == nullptr) return;
          if (joined.ok() || left.empty()) return membership->OnJoinEnd(address, joined);
          membership->TryEach(address, std::move(left));
        });
  });
}

void Membership::OnJoinEnd(const std::string& address, const absl::Status& status) {
  joins_.Answered(address, status.ok() ? "" : std::string(status.message()),
                  dependencies_.clock->MonotonicNs());
  LookSoon();
}

// ---- members that are no more ----

void Membership::FollowRemovals() {
  if (node_ == nullptr || cluster_.is_nil()) return;
  const auto view = node_->metadata();
  const NodeInfo* self = view->metadata.FindNode(node_->id());
  if (self != nullptr && self->state == NodeState::kRemoved) {
    Event(EventLevel::kInfo, "leaving gossip", {{"why", "the node was removed"}});
    return Leave([] {});
  }
  if (node_->LeaderOf(kControllerGroup) != node_->id()) return;
  std::vector<std::string> removed;
  for (const auto& [name, member] : gossip_->serf().members()) {
    if (member.status != MemberStatus::kFailed || KindOf(member) != MemberKind::kBroker) continue;
    const NodeInfo* node = view->metadata.FindNode(NodeIdOf(member));
    if (node == nullptr || node->state != NodeState::kRemoved) continue;
    if (node->description.name == name && removed.size() < kMaxPrunedAtOnce) {
      removed.push_back(name);
    }
  }
  for (const std::string& name : removed) {
    Event(EventLevel::kInfo, "forgetting a removed member", {{"name", name}});
    gossip_->With([&](Serf& serf) { return serf.ForceLeave(name, /*prune=*/true); }).IgnoreError();
  }
}

// ---- files ----

void Membership::SaveSnapshot() {
  if (node_ == nullptr || left_) return;
  saved_ns_ = dependencies_.clock->MonotonicNs();
  gossip::SerfSnapshot snapshot = gossip_->serf().snapshot();
  // Who is left alone needs those that were there the most.
  if (snapshot.members.empty()) {
    snapshot.members = known_;
  } else {
    known_ = snapshot.members;
  }
  std::string encoded = EncodeSnapshot(snapshot);
  if (encoded == saved_snapshot_) return;
  saved_snapshot_ = encoded;
  dependencies_.files->Post([self = shared_from_this(), encoded = std::move(encoded)] {
    const absl::Status written =
        WriteGossipSnapshot(*self->dependencies_.fs, self->options_.snapshot_file, encoded);
    if (written.ok()) return;
    self->Event(EventLevel::kWarn, "gossip snapshot", {{"error", std::string(written.message())}});
  });
}

void Membership::SaveKeyring() {
  // Before the data directory is ours; Attach makes up for it.
  if (node_ == nullptr || gossip_ == nullptr || !gossip_->serf().keyring().enabled()) return;
  dependencies_.files->Post([self = shared_from_this(), keys = gossip_->serf().keyring().keys()] {
    const absl::Status written =
        WriteKeyring(*self->dependencies_.fs, self->options_.keyring_file, keys);
    if (written.ok()) return;
    self->Event(EventLevel::kError, "gossip keyring not written",
                {{"error", std::string(written.message())},
                 {"hint", "after a restart this node has the keys of before"}});
  });
}

}  // namespace cairn::cluster
