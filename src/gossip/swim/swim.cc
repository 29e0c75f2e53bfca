#include "gossip/swim/swim.h"

#include <utility>

#include "base/check.h"
#include "gossip/swim/formulas.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/message_codec.h"

namespace cairn::gossip {

Swim::Swim(const SwimConfig& config, const Envelope& envelope, Scheduler& scheduler,
           env::Random& random, SwimDelegate& delegate)
    : config_(config),
      envelope_(envelope),
      scheduler_(scheduler),
      random_(random),
      delegate_(delegate),
      table_(random),
      awareness_(config.awareness_limit),
      // Not from 0: who cannot see our packets should not guess what answers them.
      next_sequence_(static_cast<uint32_t>(random.Next())) {
  CAIRN_CHECK(CheckName(config.name).ok() && config.address.reachable(),
              "a node has a name and an address");
}

void Swim::Start(std::string meta) {
  CAIRN_CHECK(meta.size() <= kMaxMetaBytes, "others would refuse this node");
  self_ = &table_.Add(config_.name);
  self_->address = config_.address;
  self_->versions = config_.versions;
  self_->meta = std::move(meta);
  self_->incarnation = 1;
  self_->state = NodeState::kAlive;
  self_->state_change_ns = scheduler_.now_ns();
  delegate_.OnJoined(*self_);
  TellOfSelf();
  // Each at a random moment, so that nodes that start together do not go on together.
  const auto within = [this](int64_t interval_ns) {
    return static_cast<int64_t>(RandomBelow(random_, static_cast<size_t>(interval_ns)));
  };
  scheduler_.After(within(config_.probe_interval_ns), [this] { StartProbe(); });
  scheduler_.After(within(config_.gossip_interval_ns), [this] { GossipTick(); });
  scheduler_.After(within(config_.push_pull_interval_ns), [this] { PushPullTick(); });
}

int Swim::retransmit_limit() const {
  return RetransmitLimit(config_.retransmit_multiplier, table_.size());
}

void Swim::SetMeta(std::string meta) {
  CAIRN_CHECK(meta.size() <= kMaxMetaBytes, "others would refuse this node");
  self_->meta = std::move(meta);
  ++self_->incarnation;
  TellOfSelf();
  delegate_.OnUpdated(*self_);
}

void Swim::Leave(BroadcastQueue::Finished told) {
  leaving_ = true;
  self_->state = NodeState::kLeft;
  self_->state_change_ns = scheduler_.now_ns();
  bool alone = true;
  for (const auto& member : table_.members()) {
    if (member.get() != self_ && !member->gone()) alone = false;
  }
  broadcasts_.Add(config_.name, Encode(Dead{self_->incarnation, config_.name, config_.name}),
                  alone ? nullptr : std::move(told));
  delegate_.OnGone(*self_);
  if (alone && told) told();
}

}  // namespace cairn::gossip
