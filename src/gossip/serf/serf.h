// The whole gossip core: Serf on memberlist. Members with tags and intents, user events, queries,
// keys, coordinates.
//
// Deterministic: time comes as an argument, randomness from `random`, what is to be done goes out
// as Actions and what happened as SerfEvents. After every call that takes the time the driver takes
// both, and calls Advance at next_deadline_ns(). Not thread-safe. Everything that comes in may be
// forged: it is bounded, and counted where it is refused.
//
// Callbacks run within calls into the core; they may call back into it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gossip/serf/coordinate.h"
#include "gossip/serf/event_coalescer.h"
#include "gossip/serf/lamport.h"
#include "gossip/serf/serf_config.h"
#include "gossip/serf/serf_events.h"
#include "gossip/serf/snapshot.h"
#include "gossip/swim/swim.h"

namespace cairn::gossip {

struct SerfCounters {
  uint64_t messages_refused = 0;  // malformed, over a limit, of an impossible time
  uint64_t events = 0;            // that were new
  uint64_t queries = 0;           // that were new
  uint64_t responses = 0;         // to queries of ours
  uint64_t responses_late = 0;    // or to nothing of ours
  uint64_t relays_refused = 0;
  uint64_t conflicts_of_others = 0;
};

// What to ask everybody.
struct QueryRequest {
  std::string name;
  std::string payload;
  std::vector<QueryFilter> filters;
  bool wants_acks = false;
  uint8_t relay_factor = 0;
  int64_t timeout_ns = 0;  // 0: by the size of the cluster
};

struct QueryCallbacks {
  absl::AnyInvocable<void(const std::string& from)> on_ack;
  absl::AnyInvocable<void(const std::string& from, const std::string& payload)> on_response;
  absl::AnyInvocable<void()> on_done;  // the time is up
};

enum class KeyOperation : uint8_t { kInstall, kUse, kRemove, kList };

// What the members answered to a key query.
struct KeyResult {
  size_t members = 0;
  size_t answers = 0;
  size_t errors = 0;
  std::map<std::string, std::string> messages;  // of those that refused, by member
  std::map<std::string, size_t> keys;           // how many have each, base64
  std::map<std::string, size_t> primary_keys;   // of those that say so
};

class Serf final : private SwimDelegate {
 public:
  using Done = absl::AnyInvocable<void()>;

  // A node that is alive at `now_ns`. `restored` is what an earlier life knew: its times go on; its
  // members are not asked by themselves (see Join). `random` outlives it. Errors: INVALID_ARGUMENT
  // for a name, address, tag, key or label that cannot be.
  static absl::StatusOr<std::unique_ptr<Serf>> Create(SerfConfig config, env::Random& random,
                                                      int64_t now_ns,
                                                      const SerfSnapshot& restored = {});
  ~Serf() override = default;

  // ---- what comes in; `now_ns` on any clock that never steps back ----

  void Advance(int64_t now_ns);
  void OnPacket(int64_t now_ns, const Address& from, std::string_view datagram);
  std::optional<std::string> OnStream(int64_t now_ns, const StreamMessage& message);
  void OnExchange(int64_t now_ns, uint64_t id, absl::StatusOr<StreamMessage> answer);

  // ---- what goes out ----

  Actions TakeActions() { return swim_.TakeActions(); }
  std::vector<SerfEvent> TakeEvents() { return std::exchange(events_out_, {}); }
  int64_t next_deadline_ns() const { return scheduler_.next_deadline_ns(); }
  // For the StreamReaders of the driver. Lives as long as this.
  const Envelope& envelope() const { return envelope_; }

  // ---- what is wanted ----

  // Asks the node at `address` to be let in. See Swim::Join. With `ignore_old`, events from before
  // the join are not delivered.
  void Join(const Address& address, bool ignore_old, Swim::JoinCallback done);
  // Tells everybody, waits until they have heard it, at most twice broadcast_timeout_ns; `done`
  // once. The node is good for nothing afterwards.
  void Leave(Done done);
  // A member that failed is to count as left; with `prune` it is forgotten at once. Errors:
  // NOT_FOUND; FAILED_PRECONDITION for this node itself.
  absl::Status ForceLeave(const std::string& name, bool prune);
  // Errors: INVALID_ARGUMENT, see EncodeTags.
  absl::Status SetTags(Tags tags);
  // Errors: INVALID_ARGUMENT for a name and payload of more than kMaxUserEventBytes together or a
  // name with control characters.
  absl::Status SendEvent(std::string name, std::string payload, bool coalesce);
  // Errors: INVALID_ARGUMENT for what takes more than kMaxQueryBytes; RESOURCE_EXHAUSTED when too
  // many are under way.
  absl::Status Ask(QueryRequest request, QueryCallbacks callbacks);
  // Errors: NOT_FOUND when it was answered or its time is up; INVALID_ARGUMENT over
  // kMaxQueryResponseBytes.
  absl::Status Respond(uint64_t handle, std::string payload);
  // Changes the keyrings of all members, or lists them. `key` as bytes. Errors: those of Ask;
  // FAILED_PRECONDITION without encryption; INVALID_ARGUMENT for a key of another length.
  absl::Status AskKeys(KeyOperation operation, const std::string& key,
                       absl::AnyInvocable<void(KeyResult)> done);

  // ---- what is so ----

  const std::map<std::string, SerfMember>& members() const { return members_; }
  const SerfMember* Find(const std::string& name) const;
  const Keyring& keyring() const { return envelope_.keyring; }
  const Coordinate& coordinate() const { return coordinates_.coordinate(); }
  const Coordinate* CoordinateOf(const std::string& name) const;
  SerfSnapshot snapshot() const;
  const Swim& swim() const { return swim_; }
  const SerfCounters& counters() const { return counters_; }
  LamportTime member_time() const { return member_clock_.time(); }

 private:
  struct RecentIntent {
    bool leave = false;
    LamportTime time = 0;
    int64_t since_ns = 0;
  };
  // A query of ours.
  struct Asked {
    uint32_t id = 0;
    QueryCallbacks callbacks;
    std::set<std::string> acks;
    std::set<std::string> responses;
  };
  // A query of others that the program may answer.
  struct Pending {
    Query query;
    int64_t deadline_ns = 0;
  };
  struct Event {
    std::string name;
    std::string payload;
    friend bool operator==(const Event&, const Event&) = default;
  };

  Serf(SerfConfig config, Envelope envelope, env::Random& random, int64_t now_ns,
       const SerfSnapshot& restored);
  void Start(std::string meta);

  // SwimDelegate, serf_swim.cc.
  absl::Status CheckAlive(const Alive& alive) override;
  void OnJoined(const Member& member) override;
  void OnUpdated(const Member& member) override;
  void OnGone(const Member& member) override;
  void OnConflict(const Member& existing, const Alive& other) override;
  void OnUserMessage(std::string_view message) override;
  bool HasBroadcasts() const override {
    return !intents_.empty() || !queries_.empty() || !user_events_.empty();
  }
  void TakeBroadcasts(size_t overhead_bytes, size_t room_bytes,
                      std::vector<std::string>& to) override;
  std::string LocalState(bool join) override;
  void MergeState(std::string_view state, bool join) override;
  std::string AckPayload() override;
  void OnAck(const Member& from, int64_t round_trip_ns, std::string_view payload) override;

  // serf_members.cc. Intents return whether others should hear of them.
  bool OnLeaveIntent(const LeaveIntent& intent);
  bool OnJoinIntent(const JoinIntent& intent);
  bool RememberIntent(const std::string& name, bool leave, LamportTime time);
  void Prune(const std::string& name);
  void TellJoin();
  void Emit(MemberChange change, const SerfMember& member);
  void ReapTick();
  void ReconnectTick();

  // serf_user_events.cc
  bool OnUserEvent(const UserEvent& event);
  void FlushEvents();

  // serf_queries.cc
  bool OnQuery(const Query& query);
  bool Passes(const Query& query) const;
  void Answer(const Query& query, uint32_t flags, std::string payload);
  void OnQueryResponse(const QueryResponse& response);
  void OnRelay(const Relay& relay);
  int64_t DefaultQueryTimeoutNs() const;

  // serf_internal_queries.cc: those named "_serf_…".
  void OnInternalQuery(const Query& query);
  void AnswerKeyQuery(const Query& query, std::string_view operation);
  void ResolveConflict(const Address& other);

  static std::string AsUserMessage(std::string_view message);
  void CountRefused() { ++counters_.messages_refused; }

  const SerfConfig config_;
  Envelope envelope_;
  env::Random& random_;
  Scheduler scheduler_;
  Swim swim_;
  SerfCounters counters_;
  std::vector<SerfEvent> events_out_;

  std::map<std::string, SerfMember> members_;
  std::map<std::string, RecentIntent> recent_intents_;
  LamportClock member_clock_;
  bool leaving_ = false;
  bool resolving_conflict_ = false;

  LamportClock event_clock_;
  LamportTime event_min_time_ = 0;
  SeenRing<Event> seen_events_;
  EventCoalescer coalescer_;
  Scheduler::TimerId coalesce_timer_ = Scheduler::kNone;

  LamportClock query_clock_;
  LamportTime query_min_time_ = 0;
  SeenRing<uint32_t> seen_queries_;
  std::map<LamportTime, Asked> asked_;
  std::map<uint64_t, Pending> pending_;
  uint64_t next_handle_ = 1;
  bool ignore_old_ = false;  // a join under way wants no old events

  // In the order in which they share a packet.
  BroadcastQueue intents_;
  BroadcastQueue queries_;
  BroadcastQueue user_events_;

  CoordinateClient coordinates_;
  std::map<std::string, Coordinate> others_coordinates_;
};

}  // namespace cairn::gossip
