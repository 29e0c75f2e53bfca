// Probing: one member after the other, directly, then through others and by TCP.
#include <utility>

#include "gossip/swim/swim.h"
#include "gossip/wire/message_codec.h"

namespace cairn::gossip {

// SWIM section 3.1; the order is that of section 4.3.
void Swim::StartProbe() {
  const int64_t now_ns = scheduler_.now_ns();
  Member* target =
      leaving_ ? nullptr
               : table_.NextToProbe([this](const Member& m) { return &m != self_ && !m.gone(); },
                                    [&](const Member& m) {
                                      return &m != self_ && m.gone() &&
                                             now_ns - m.state_change_ns > config_.gossip_to_dead_ns;
                                    });
  // A node that is not well takes its time (Lifeguard section IV-A).
  const int64_t interval_ns = awareness_.Scale(config_.probe_interval_ns);
  scheduler_.After(interval_ns, [this] {
    EndProbe();
    StartProbe();
  });
  if (target == nullptr) return;
  ++counters_.probes;
  probe_.emplace();
  probe_->target = target->name;
  probe_->sequence = next_sequence_++;
  probe_->start_ns = now_ns;
  probe_->end_ns = now_ns + interval_ns;
  std::vector<std::string> messages = {
      Encode(Ping{probe_->sequence, target->name, config_.address, config_.name})};
  if (target->state == NodeState::kSuspect) {
    // So that it hears of it at once and can say otherwise (Lifeguard section IV-C).
    messages.push_back(Encode(Suspect{target->incarnation, target->name, config_.name}));
  }
  Send(target->address, target->name, std::move(messages));
  scheduler_.After(config_.probe_timeout_ns, [this, sequence = probe_->sequence] {
    if (probe_ && probe_->sequence == sequence && !probe_->answered) AskOthers();
  });
}

void Swim::AskOthers() {
  const Member* target = table_.Find(probe_->target);
  if (target == nullptr) return;
  probe_->asked_others = true;
  const std::vector<Member*> helpers =
      table_.Pick(static_cast<size_t>(config_.indirect_checks), [&](const Member& member) {
        return &member != self_ && &member != target && member.state == NodeState::kAlive;
      });
  for (const Member* helper : helpers) {
    const bool nacks = helper->versions.protocol_max >= kProtocolNack;
    probe_->nacks_expected += nacks ? 1 : 0;
    Send(helper->address, helper->name,
         {Encode(IndirectPing{probe_->sequence, target->address, target->name, nacks,
                              config_.address, config_.name})});
  }
  if (target->versions.protocol_max < kProtocolStreamPing) return;
  // A network that loses packets, or lets none through, is not a dead node.
  Exchange(target->address, Ping{probe_->sequence, target->name, config_.address, config_.name},
           probe_->end_ns - scheduler_.now_ns(),
           [this, sequence = probe_->sequence](absl::StatusOr<StreamMessage> answer) {
             if (!probe_ || probe_->sequence != sequence || !answer.ok()) return;
             const auto* ack = std::get_if<Ack>(&*answer);
             if (ack != nullptr && ack->sequence == sequence) probe_->answered = true;
           });
}

void Swim::ProbeAnswered(std::string_view payload) {
  if (probe_->answered) return;
  probe_->answered = true;
  // Through others it says nothing about the way.
  const Member* member = table_.Find(probe_->target);
  if (member != nullptr && !probe_->asked_others) {
    delegate_.OnAck(*member, scheduler_.now_ns() - probe_->start_ns, payload);
  }
}

void Swim::EndProbe() {
  if (!probe_) return;
  const SwimProbe probe = *std::exchange(probe_, std::nullopt);
  if (probe.answered) return awareness_.Add(-1);
  ++counters_.probes_failed;
  // Helpers that do not even say no: it may be us who hears nothing (Lifeguard section IV-A).
  awareness_.Add(probe.nacks_expected > 0 ? probe.nacks_expected - probe.nacks : 1);
  const Member* member = table_.Find(probe.target);
  if (member != nullptr && !leaving_) {
    OnSuspect(Suspect{member->incarnation, member->name, config_.name});
  }
}

}  // namespace cairn::gossip
