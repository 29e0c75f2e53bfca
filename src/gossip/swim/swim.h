// The members' protocol: who is there, who is suspected, who is gone; and the means by which the
// layer above tells everybody something. memberlist on the wire; SWIM (Das, Gupta, Motivala, DSN
// 2002) with Lifeguard (Dadgar, Phillips, Currey, 2018).
//
// A deterministic core: time comes from the Scheduler, randomness from `random`, packets and
// exchanges go out as Actions. Not thread-safe. Everything that comes in may be forged: it is
// bounded, and counted where it is refused.
//
// Invariant: this node is in the table, alive, or left after Leave; nobody else's word changes
// that. Invariant: a member's incarnation never falls while it is in the table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "env/random.h"
#include "gossip/swim/actions.h"
#include "gossip/swim/awareness.h"
#include "gossip/swim/broadcast_queue.h"
#include "gossip/swim/member_table.h"
#include "gossip/swim/scheduler.h"
#include "gossip/swim/swim_config.h"
#include "gossip/swim/swim_delegate.h"
#include "gossip/wire/envelope.h"
#include "gossip/wire/packet.h"
#include "gossip/wire/stream.h"

namespace cairn::gossip {

struct SwimCounters {
  uint64_t packets_received = 0;
  uint64_t packets_refused = 0;   // malformed, over a limit, of another label
  uint64_t packets_unsealed = 0;  // no key opens them
  uint64_t messages_refused = 0;  // within packets that were read
  uint64_t members_refused = 0;   // no room, no sense, or the delegate's no
  uint64_t conflicts = 0;
  uint64_t probes = 0;
  uint64_t probes_failed = 0;
  uint64_t suspicions = 0;  // raised here or heard of
  uint64_t refutations = 0;
  uint64_t push_pulls = 0;
  uint64_t push_pulls_failed = 0;
};

// A probe under way (SWIM section 3.1). Internal to Swim.
struct SwimProbe {
  std::string target;
  uint32_t sequence = 0;
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  int nacks_expected = 0;
  int nacks = 0;
  bool asked_others = false;
  bool answered = false;
};

class Swim {
 public:
  using JoinCallback = absl::AnyInvocable<void(absl::Status)>;
  using ExchangeCallback = absl::AnyInvocable<void(absl::StatusOr<StreamMessage>)>;

  // All outlive it. `config.name` passes CheckName, its address is reachable.
  Swim(const SwimConfig& config, const Envelope& envelope, Scheduler& scheduler,
       env::Random& random, SwimDelegate& delegate);

  // This node is there, with this meta (at most kMaxMetaBytes), and begins to probe.
  void Start(std::string meta);

  // ---- what comes in ----

  void OnPacket(const Address& from, std::string_view datagram);
  // A stream that another node opened said this; what to answer, if anything.
  std::optional<std::string> OnStream(const StreamMessage& message);
  // What came of StartExchange `id`; once.
  void OnExchange(uint64_t id, absl::StatusOr<StreamMessage> answer);

  // ---- what is wanted ----

  // Exchanges all state with the node at `address`: then each knows the other's members. Errors:
  // those of the connection and of StreamReader; FAILED_PRECONDITION when versions do not fit;
  // what the node itself says is UNAVAILABLE.
  void Join(const Address& address, JoinCallback done);
  // A new meta, told to everybody.
  void SetMeta(std::string meta);
  // Tells everybody that this node leaves; `told` runs when it was sent as often as it is to be, or
  // at once when there is nobody to tell. It still answers afterwards.
  void Leave(BroadcastQueue::Finished told);
  // A user message (type included) straight to a node.
  void SendUser(const Address& to, std::string message);
  // Every message to one node may carry others with it.
  Actions TakeActions() { return std::exchange(actions_, {}); }

  // ---- what is so ----

  const SwimConfig& config() const { return config_; }
  const MemberTable& table() const { return table_; }
  MemberTable& table() { return table_; }
  const Member& self() const { return *self_; }
  const SwimCounters& counters() const { return counters_; }
  int awareness() const { return awareness_.score(); }
  bool leaving() const { return leaving_; }
  // Bytes that this node's packets may carry.
  size_t room_bytes() const { return PacketRoomBytes(envelope_); }
  int retransmit_limit() const;

 private:
  // A ping on behalf of another node.
  struct RelayedPing {
    Address origin;
    std::string origin_node;
    uint32_t origin_sequence = 0;
    Scheduler::TimerId timer = Scheduler::kNone;
  };

  // swim_packet.cc: packets in and out.
  void OnMessage(const Address& from, const OpenedPacket::Message& message);
  void OnPing(const Address& from, const Ping& ping);
  void OnIndirectPing(const Address& from, const IndirectPing& ping);
  void OnAck(const Ack& ack);
  void OnNack(const Nack& nack);
  // Sends `messages` and whatever broadcasts still fit. `to` is known by `name`, or "".
  void Send(const Address& to, const std::string& name, std::vector<std::string> messages);
  void SendPacketTo(const Address& to, const std::string& name, const std::string& content);
  void TakeBroadcasts(size_t room_bytes, std::vector<std::string>& to);
  void GossipTick();

  // swim_probe.cc: probing.
  void StartProbe();
  void AskOthers();
  void EndProbe();
  void ProbeAnswered(std::string_view payload);

  // swim_state.cc: what is believed of whom.
  void OnAlive(const Alive& alive);
  void OnSuspect(const Suspect& suspect);
  void OnDead(const Dead& dead);
  void Suspects(Member& member, const Suspect& suspect);
  void Confirm(Member& member, const std::string& accuser);
  void SuspicionEnds(const std::string& name, uint32_t incarnation);
  void Refute(uint32_t accused_incarnation);
  void TellOfSelf();

  // swim_push_pull.cc: exchanges.
  void PushPullTick();
  PushPull State(bool join);
  absl::Status Merge(const PushPull& remote);
  void Exchange(const Address& to, const StreamMessage& request, int64_t timeout_ns,
                ExchangeCallback done);

  const SwimConfig config_;
  const Envelope& envelope_;
  Scheduler& scheduler_;
  env::Random& random_;
  SwimDelegate& delegate_;
  MemberTable table_;
  Member* self_ = nullptr;
  BroadcastQueue broadcasts_;
  Awareness awareness_;
  Actions actions_;
  SwimCounters counters_;
  bool leaving_ = false;
  uint32_t next_sequence_;
  std::optional<SwimProbe> probe_;
  std::map<uint32_t, RelayedPing> relayed_;
  uint64_t next_exchange_ = 1;
  std::map<uint64_t, ExchangeCallback> exchanges_;
};

}  // namespace cairn::gossip
