// What is believed of whom: SWIM section 4.2 with Lifeguard's suspicion.
#include <algorithm>
#include <utility>

#include "gossip/swim/formulas.h"
#include "gossip/swim/swim.h"
#include "gossip/swim/versions.h"
#include "gossip/wire/message_codec.h"

namespace cairn::gossip {

void Swim::TellOfSelf() {
  broadcasts_.Add(config_.name, Encode(Alive{self_->incarnation, self_->name, self_->address,
                                             self_->meta, self_->versions}));
}

// Says, louder than the accusation, that this node is alive.
void Swim::Refute(uint32_t accused_incarnation) {
  ++counters_.refutations;
  const uint32_t loudest = std::max(self_->incarnation, accused_incarnation);
  // Nothing is louder than the last incarnation, which only a forger gets to.
  self_->incarnation = loudest + (loudest < UINT32_MAX ? 1 : 0);
  awareness_.Add(1);
  TellOfSelf();
}

void Swim::OnAlive(const Alive& alive) {
  Member* member = table_.Find(alive.node);
  if (member == self_ && member != nullptr) {
    if (leaving_) return;
    if (alive.address != self_->address) {
      ++counters_.conflicts;
      return delegate_.OnConflict(*self_, alive);
    }
    if (alive.incarnation < self_->incarnation) return;
    const bool mine = alive.meta == self_->meta && alive.versions == self_->versions;
    // Of an earlier life, with what it said then.
    if (alive.incarnation > self_->incarnation || !mine) Refute(alive.incarnation);
    return;
  }
  const bool moved = member != nullptr && member->address != alive.address;
  // Most of what comes is known already: no more work for that than this.
  if (member != nullptr && !moved && alive.incarnation <= member->incarnation) return;
  if (!AreSane(alive.versions) || !alive.address.reachable() || !delegate_.CheckAlive(alive).ok() ||
      (member == nullptr && table_.size() >= kMaxMembers)) {
    ++counters_.members_refused;
    return;
  }
  const bool is_new = member == nullptr;
  if (moved && member->state != NodeState::kLeft) {
    ++counters_.conflicts;
    return delegate_.OnConflict(*member, alive);
  }
  // One that left may come back elsewhere, and count from the beginning.
  if (is_new) member = &table_.Add(alive.node);
  if (member->suspicion) {
    scheduler_.Cancel(member->suspicion->timer);
    member->suspicion.reset();
  }
  broadcasts_.Add(alive.node, Encode(alive));
  const bool was_gone = member->gone();
  const bool changed = member->meta != alive.meta || moved;
  member->address = alive.address;
  member->meta = alive.meta;
  member->versions = alive.versions;
  member->incarnation = alive.incarnation;
  if (member->state != NodeState::kAlive) member->state_change_ns = scheduler_.now_ns();
  member->state = NodeState::kAlive;
  if (was_gone) {
    delegate_.OnJoined(*member);
  } else if (changed) {
    delegate_.OnUpdated(*member);
  }
}

void Swim::OnSuspect(const Suspect& suspect) {
  Member* member = table_.Find(suspect.node);
  if (member == nullptr || suspect.incarnation < member->incarnation) return;
  if (member->suspicion) return Confirm(*member, suspect.from);
  if (member->state != NodeState::kAlive) return;
  if (member == self_) return Refute(suspect.incarnation);
  broadcasts_.Add(suspect.node, Encode(suspect));
  Suspects(*member, suspect);
}

void Swim::Suspects(Member& member, const Suspect& suspect) {
  ++counters_.suspicions;
  member.incarnation = suspect.incarnation;
  member.state = NodeState::kSuspect;
  member.state_change_ns = scheduler_.now_ns();
  const size_t nodes = table_.size();
  // Where too few others are there to confirm, nobody waits for them.
  int expected = std::max(0, config_.suspicion_multiplier - 2);
  if (static_cast<int>(nodes) - 2 < expected) expected = 0;
  member.suspicion = std::make_unique<Suspicion>();
  Suspicion& suspicion = *member.suspicion;
  suspicion.start_ns = scheduler_.now_ns();
  suspicion.min_ns =
      SuspicionTimeoutNs(config_.suspicion_multiplier, nodes, config_.probe_interval_ns);
  suspicion.max_ns = suspicion.min_ns * config_.suspicion_max_multiplier;
  suspicion.expected = expected;
  suspicion.accusers.insert(suspect.from);
  suspicion.timer = scheduler_.After(expected == 0 ? suspicion.min_ns : suspicion.max_ns,
                                     [this, name = member.name, incarnation = member.incarnation] {
                                       SuspicionEnds(name, incarnation);
                                     });
}

// Another accuser shortens the suspicion (Lifeguard section IV-B).
void Swim::Confirm(Member& member, const std::string& accuser) {
  Suspicion& suspicion = *member.suspicion;
  if (suspicion.confirmations >= suspicion.expected) return;
  if (!suspicion.accusers.insert(accuser).second) return;
  ++suspicion.confirmations;
  const int64_t timeout_ns = ConfirmedTimeoutNs(suspicion.confirmations, suspicion.expected,
                                                suspicion.min_ns, suspicion.max_ns);
  scheduler_.Cancel(suspicion.timer);
  const int64_t left_ns = suspicion.start_ns + timeout_ns - scheduler_.now_ns();
  suspicion.timer = scheduler_.After(std::max<int64_t>(0, left_ns),
                                     [this, name = member.name, incarnation = member.incarnation] {
                                       SuspicionEnds(name, incarnation);
                                     });
  // Others should count this accuser too.
  broadcasts_.Add(member.name, Encode(Suspect{member.incarnation, member.name, accuser}));
}

void Swim::SuspicionEnds(const std::string& name, uint32_t incarnation) {
  const Member* member = table_.Find(name);
  if (member == nullptr || member->state != NodeState::kSuspect) return;
  OnDead(Dead{incarnation, name, config_.name});
}

void Swim::OnDead(const Dead& dead) {
  Member* member = table_.Find(dead.node);
  if (member == nullptr || dead.incarnation < member->incarnation) return;
  if (member == self_) {
    if (!leaving_) Refute(dead.incarnation);
    return;
  }
  if (member->suspicion) {
    scheduler_.Cancel(member->suspicion->timer);
    member->suspicion.reset();
  }
  if (member->gone()) return;
  broadcasts_.Add(dead.node, Encode(dead));
  member->incarnation = dead.incarnation;
  member->state = dead.node == dead.from ? NodeState::kLeft : NodeState::kDead;
  member->state_change_ns = scheduler_.now_ns();
  delegate_.OnGone(*member);
}

}  // namespace cairn::gossip
