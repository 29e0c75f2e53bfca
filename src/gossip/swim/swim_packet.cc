// Packets, in and out, and the broadcasts that travel in them.
#include <utility>

#include "gossip/swim/swim.h"
#include "gossip/wire/message_codec.h"

namespace cairn::gossip {

void Swim::OnPacket(const Address& from, std::string_view datagram) {
  ++counters_.packets_received;
  const absl::StatusOr<OpenedPacket> packet = OpenedPacket::Open(datagram, envelope_);
  if (!packet.ok()) {
    ++(absl::IsUnauthenticated(packet.status()) ? counters_.packets_unsealed
                                                : counters_.packets_refused);
    return;
  }
  for (const OpenedPacket::Message& message : packet->messages()) OnMessage(from, message);
}

void Swim::OnMessage(const Address& from, const OpenedPacket::Message& message) {
  const auto handle = [&](auto decoded, auto handler) {
    if (decoded.ok()) return handler(*decoded);
    ++counters_.messages_refused;
  };
  switch (message.type) {
    case MessageType::kPing:
      return handle(DecodePing(message.body), [&](const Ping& ping) { OnPing(from, ping); });
    case MessageType::kIndirectPing:
      return handle(DecodeIndirectPing(message.body),
                    [&](const IndirectPing& ping) { OnIndirectPing(from, ping); });
    case MessageType::kAck:
      return handle(DecodeAck(message.body), [&](const Ack& ack) { OnAck(ack); });
    case MessageType::kNack:
      return handle(DecodeNack(message.body), [&](const Nack& nack) { OnNack(nack); });
    case MessageType::kSuspect:
      return handle(DecodeSuspect(message.body), [&](const Suspect& s) { OnSuspect(s); });
    case MessageType::kAlive:
      return handle(DecodeAlive(message.body), [&](const Alive& alive) { OnAlive(alive); });
    case MessageType::kDead:
      return handle(DecodeDead(message.body), [&](const Dead& dead) { OnDead(dead); });
    case MessageType::kUser:
      return delegate_.OnUserMessage(message.body);
    default:
      ++counters_.messages_refused;  // an error has no business in a packet
  }
}

void Swim::OnPing(const Address& from, const Ping& ping) {
  // Meant for a node that was at this address before.
  if (!ping.node.empty() && ping.node != config_.name) return;
  const Address& to = ping.source.reachable() ? ping.source : from;
  Send(to, ping.source_node, {Encode(Ack{ping.sequence, delegate_.AckPayload()})});
}

void Swim::OnIndirectPing(const Address& from, const IndirectPing& ping) {
  if (!ping.target.reachable() || relayed_.size() >= kMaxRelayedPings) {
    ++counters_.messages_refused;
    return;
  }
  const uint32_t sequence = next_sequence_++;
  RelayedPing& relayed = relayed_[sequence];
  relayed.origin = ping.source.reachable() ? ping.source : from;
  relayed.origin_node = ping.source_node;
  relayed.origin_sequence = ping.sequence;
  relayed.timer =
      scheduler_.After(config_.probe_timeout_ns, [this, sequence, nack = ping.wants_nack] {
        const auto node = relayed_.extract(sequence);
        if (nack) {
          const RelayedPing& late = node.mapped();
          Send(late.origin, late.origin_node, {Encode(Nack{late.origin_sequence})});
        }
      });
  Send(ping.target, ping.node, {Encode(Ping{sequence, ping.node, config_.address, config_.name})});
}

void Swim::OnAck(const Ack& ack) {
  if (probe_ && probe_->sequence == ack.sequence) return ProbeAnswered(ack.payload);
  auto node = relayed_.extract(ack.sequence);
  if (node.empty()) return;  // late, or nothing of ours
  RelayedPing& relayed = node.mapped();
  scheduler_.Cancel(relayed.timer);
  Send(relayed.origin, relayed.origin_node, {Encode(Ack{relayed.origin_sequence, ""})});
}

void Swim::OnNack(const Nack& nack) {
  if (probe_ && probe_->sequence == nack.sequence && probe_->nacks < probe_->nacks_expected) {
    ++probe_->nacks;
  }
}

// Alone: answers to a query go to the one node that knows the broadcasts which would go with them.
void Swim::SendUser(const Address& to, std::string message) { SendPacketTo(to, "", message); }

void Swim::Send(const Address& to, const std::string& name, std::vector<std::string> messages) {
  size_t used = kCompoundHeadBytes;
  for (const std::string& message : messages) used += kCompoundPartBytes + message.size();
  const size_t room = room_bytes();
  if (used < room) TakeBroadcasts(room - used, messages);
  SendPacketTo(to, name, JoinMessages(messages));
}

void Swim::SendPacketTo(const Address& to, const std::string& name, const std::string& content) {
  const Member* member = name.empty() ? nullptr : table_.Find(name);
  const bool checksum = member != nullptr && member->versions.protocol_max >= kProtocolChecksum;
  actions_.packets.push_back(
      {to, MakePacket(content, envelope_,
                      {.compress = content.size() >= kCompressAboveBytes, .checksum = checksum},
                      random_)});
}

void Swim::TakeBroadcasts(size_t room_bytes, std::vector<std::string>& to) {
  const size_t before = to.size();
  broadcasts_.Take(kCompoundPartBytes, room_bytes, retransmit_limit(), to);
  for (size_t i = before; i < to.size(); ++i) {
    room_bytes -= kCompoundPartBytes + to[i].size();
  }
  if (to.size() < kMaxCompoundParts / 2) {
    delegate_.TakeBroadcasts(kCompoundPartBytes, room_bytes, to);
  }
}

// SWIM section 4.1, but by packets of their own as well: memberlist's addition.
void Swim::GossipTick() {
  scheduler_.After(config_.gossip_interval_ns, [this] { GossipTick(); });
  if (broadcasts_.empty() && !delegate_.HasBroadcasts()) return;
  const std::vector<Member*> targets =
      table_.Pick(static_cast<size_t>(config_.gossip_nodes), [this](const Member& member) {
        if (&member == self_ || member.state == NodeState::kLeft) return false;
        return member.state != NodeState::kDead ||
               scheduler_.now_ns() - member.state_change_ns <= config_.gossip_to_dead_ns;
      });
  for (const Member* target : targets) {
    std::vector<std::string> messages;
    TakeBroadcasts(room_bytes() - kCompoundHeadBytes, messages);
    if (messages.empty()) return;
    // Not by Send, which would put what was just taken in once more.
    SendPacketTo(target->address, target->name, JoinMessages(messages));
  }
}

}  // namespace cairn::gossip
