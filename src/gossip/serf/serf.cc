#include "gossip/serf/serf.h"

#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/message_codec.h"

namespace cairn::gossip {
namespace {

// Rounds of gossip between the word that a node will leave and the word that it is gone.
constexpr int kLeaveStartIntervals = 3;

}  // namespace

std::string_view ToString(MemberStatus status) {
  switch (status) {
    case MemberStatus::kNone:
      return "none";
    case MemberStatus::kAlive:
      return "alive";
    case MemberStatus::kLeaving:
      return "leaving";
    case MemberStatus::kLeft:
      return "left";
    case MemberStatus::kFailed:
      return "failed";
  }
  return "unknown";
}

std::string_view ToString(MemberChange change) {
  switch (change) {
    case MemberChange::kJoined:
      return "member-join";
    case MemberChange::kLeft:
      return "member-leave";
    case MemberChange::kFailed:
      return "member-failed";
    case MemberChange::kUpdated:
      return "member-update";
    case MemberChange::kReaped:
      return "member-reap";
  }
  return "unknown";
}

absl::StatusOr<std::unique_ptr<Serf>> Serf::Create(SerfConfig config, env::Random& random,
                                                   int64_t now_ns, const SerfSnapshot& restored) {
  CAIRN_RETURN_IF_ERROR(CheckName(config.swim.name));
  if (!config.swim.address.reachable()) {
    return absl::InvalidArgumentError(
        base::StrCat("others cannot reach ", config.swim.address.ToString()));
  }
  if (config.label.size() > kMaxLabelBytes) {
    return absl::InvalidArgumentError(
        base::StrCat("a label has at most ", kMaxLabelBytes, " bytes"));
  }
  Envelope envelope;
  envelope.label = config.label;
  for (const std::string& key : config.keys) CAIRN_RETURN_IF_ERROR(envelope.keyring.Install(key));
  config.keys.clear();  // one place is enough for them
  CAIRN_ASSIGN_OR_RETURN(std::string meta, EncodeTags(config.tags));
  std::unique_ptr<Serf> serf(
      new Serf(std::move(config), std::move(envelope), random, now_ns, restored));
  serf->Start(std::move(meta));
  return serf;
}

Serf::Serf(SerfConfig config, Envelope envelope, env::Random& random, int64_t now_ns,
           const SerfSnapshot& restored)
    : config_(std::move(config)),
      envelope_(std::move(envelope)),
      random_(random),
      swim_(config_.swim, envelope_, scheduler_, random, *this),
      coalescer_(config_.event_coalesce_period_ns, config_.event_coalesce_quiescent_ns),
      coordinates_(random) {
  scheduler_.Advance(now_ns);
  member_clock_.Witness(restored.member_time);
  event_clock_.Witness(restored.event_time);
  query_clock_.Witness(restored.query_time);
  // What was seen in an earlier life does not count again.
  if (restored.event_time > 0) event_min_time_ = restored.event_time + 1;
  if (restored.query_time > 0) query_min_time_ = restored.query_time + 1;
}

void Serf::Start(std::string meta) {
  swim_.Start(std::move(meta));
  TellJoin();
  scheduler_.After(config_.reap_interval_ns, [this] { ReapTick(); });
  scheduler_.After(config_.reconnect_interval_ns, [this] { ReconnectTick(); });
}

void Serf::Advance(int64_t now_ns) { scheduler_.Advance(now_ns); }

void Serf::OnPacket(int64_t now_ns, const Address& from, std::string_view datagram) {
  scheduler_.Advance(now_ns);
  swim_.OnPacket(from, datagram);
}

std::optional<std::string> Serf::OnStream(int64_t now_ns, const StreamMessage& message) {
  scheduler_.Advance(now_ns);
  return swim_.OnStream(message);
}

void Serf::OnExchange(int64_t now_ns, uint64_t id, absl::StatusOr<StreamMessage> answer) {
  scheduler_.Advance(now_ns);
  swim_.OnExchange(id, std::move(answer));
}

const SerfMember* Serf::Find(const std::string& name) const {
  const auto at = members_.find(name);
  return at == members_.end() ? nullptr : &at->second;
}

const Coordinate* Serf::CoordinateOf(const std::string& name) const {
  const auto at = others_coordinates_.find(name);
  return at == others_coordinates_.end() ? nullptr : &at->second;
}

SerfSnapshot Serf::snapshot() const {
  SerfSnapshot snapshot;
  snapshot.member_time = member_clock_.time() - 1;
  snapshot.event_time = event_clock_.time() - 1;
  snapshot.query_time = query_clock_.time() - 1;
  for (const auto& [name, member] : members_) {
    if (name == config_.swim.name || member.status != MemberStatus::kAlive) continue;
    snapshot.members.push_back({name, member.address});
  }
  return snapshot;
}

absl::Status Serf::SetTags(Tags tags) {
  CAIRN_ASSIGN_OR_RETURN(std::string meta, EncodeTags(tags));
  swim_.SetMeta(std::move(meta));
  return absl::OkStatus();
}

void Serf::Join(const Address& address, bool ignore_old, Swim::JoinCallback done) {
  ignore_old_ = ignore_old;
  swim_.Join(address, [this, done = std::move(done)](absl::Status status) mutable {
    ignore_old_ = false;
    // So that members count this node as here, whatever intents of earlier times say.
    if (status.ok()) TellJoin();
    if (done) done(std::move(status));
  });
}

void Serf::Leave(Done done) {
  if (std::exchange(leaving_, true)) return;
  // Each step goes on when it is done or its time is up, whichever comes first; once.
  auto once = [](Done next) {
    auto shared = std::make_shared<Done>(std::move(next));  // shared by the two that may come first
    return [shared] {
      if (*shared) std::exchange(*shared, nullptr)();
    };
  };
  const auto gone = once([this, done = std::move(done)]() mutable {
    scheduler_.After(config_.leave_propagate_ns, [done = std::move(done)]() mutable {
      if (done) done();
    });
  });
  const auto leave = [this, gone] {
    scheduler_.After(config_.broadcast_timeout_ns, gone);
    swim_.Leave(gone);
  };
  // The intent gets a start: who hears first that the node is gone takes it for failed (Serf does).
  const auto told = once([this, leave] {
    scheduler_.After(kLeaveStartIntervals * config_.swim.gossip_interval_ns, leave);
  });
  const LeaveIntent intent{member_clock_.time(), config_.swim.name, false};
  member_clock_.Increment();
  OnLeaveIntent(intent);
  bool alone = true;
  for (const auto& [name, member] : members_) {
    if (name != config_.swim.name && member.status == MemberStatus::kAlive) alone = false;
  }
  if (alone) return leave();
  scheduler_.After(config_.broadcast_timeout_ns, told);
  intents_.Add("", AsUserMessage(Encode(intent)), told);
}

std::string Serf::AsUserMessage(std::string_view message) {
  std::string result(1, static_cast<char>(MessageType::kUser));
  return result.append(message);
}

}  // namespace cairn::gossip
