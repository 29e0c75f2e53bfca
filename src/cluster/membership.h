// Membership: the node among those that gossip: who is there, and how nodes find their cluster.
//
//   gossip::GossipNode   the protocol, on the network's executor
//   JoinSchedule         whom to gossip with, until somebody answers
//   gossip_files.h       what outlives a restart: the keyring, and whom it knew
//
// A member that carries the tags rpc_addr and cluster is a node of a cluster; any other is an agent
// that only gossips: seen, never a broker. What gossip says decides nothing (docs/adr/0011): it
// tells a new node whom to ask, over the peers' connections, to be let in; and operators who is
// there.
//
// Looks again every kLookNs at what is and what should be (tags, members to join or forget, the
// snapshot), whatever event was missed. Threads: what is public is thread-safe; the rest runs on
// the network's executor, and files and the resolver on `files`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "cluster/join_schedule.h"
#include "cluster/node.h"
#include "cluster/observed.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"
#include "env/network.h"
#include "env/random.h"
#include "gossip/transport/gossip_node.h"

namespace cairn::cluster {

struct MembershipOptions {
  std::string bind_address;   // host:port, UDP and TCP; port 0 takes a free one
  std::string advertised_ip;  // "": the one it is bound to
  NodeDescription description;
  // Where to begin: addresses of gossip, or of RPC, which the joiner tries when gossip does not
  // answer there.
  std::vector<std::string> join_addresses;
  std::vector<std::string> keys;  // the primary first; empty: gossip is not encrypted
  bool keys_on_disk = false;      // they are those of the keyring file
  std::string keyring_file;       // where the keys are written when they change
  std::string snapshot_file;
  gossip::SerfSnapshot restored;
};

// What a member of the gossip is to this node.
enum class MemberKind : uint8_t {
  kBroker,   // of this node's cluster
  kJoining,  // a node that is in no cluster yet
  kOtherCluster,
  kForeign,  // an agent that only gossips
};
std::string_view ToString(MemberKind kind);

struct GossipMember {
  std::string name;
  std::string address;
  gossip::MemberStatus status = gossip::MemberStatus::kNone;
  MemberKind kind = MemberKind::kForeign;
  gossip::Tags tags;
};

// What gossip sees and has counted since it began.
struct GossipState {
  std::map<std::pair<gossip::MemberStatus, MemberKind>, uint64_t> members;
  gossip::SwimCounters swim;
  gossip::SerfCounters serf;
  gossip::NodeCounters node;
};

class Membership : public std::enable_shared_from_this<Membership> {
 public:
  // All of it outlives the membership's Stop.
  struct Dependencies {
    env::FileSystem* fs;
    const env::Clock* clock;
    env::Random* random;
    env::Network* network;
    env::Executor* executor;  // the network's
    env::Executor* files;     // may block
    // A host name to IP addresses; blocking, called on `files`.
    std::function<absl::StatusOr<std::vector<std::string>>(const std::string& host)> resolve;
    EventSink events;
  };

  // Binds and begins to gossip. Blocking for the binding. Errors: ALREADY_EXISTS when the address
  // is in use; INVALID_ARGUMENT for a name or tags that gossip cannot carry.
  static absl::StatusOr<std::shared_ptr<Membership>> Start(Dependencies dependencies,
                                                           MembershipOptions options);

  // "ip:port" that others are told.
  const std::string& address() const { return address_; }

  // The node whose membership this is; files are written from here on, since its data directory is
  // there and locked. It lives until Stop is done.
  void Attach(Node* node);

  // RPC addresses of nodes that may let this one in, as of now.
  std::vector<std::string> JoinCandidates() const;
  // What gossip says of the nodes of the cluster.
  std::map<NodeId, GossipObservation> Observe() const;
  // Members of other clusters that were seen.
  uint64_t other_cluster_members() const;

  // The answers come on some thread. UNAVAILABLE once it has stopped.
  void List(absl::AnyInvocable<void(absl::StatusOr<std::vector<GossipMember>>)> done);
  void Count(absl::AnyInvocable<void(absl::StatusOr<GossipState>)> done);
  void ChangeKeys(gossip::KeyOperation operation, std::string key,
                  absl::AnyInvocable<void(absl::StatusOr<gossip::KeyResult>)> done);
  void SendEvent(std::string name, std::string payload,
                 absl::AnyInvocable<void(absl::Status)> done);

  // Tells the others that this node goes on purpose; `done` when they have heard it, or after two
  // seconds at most. Nothing is joined any more. Called again, it waits for the same.
  void Leave(absl::AnyInvocable<void()> done);
  // Ends it all, the snapshot written; `done` runs on the files' executor. Once.
  void Stop(absl::AnyInvocable<void()> done);

 private:
  Membership(Dependencies dependencies, MembershipOptions options);

  void OnEvent(const gossip::SerfEvent& event);
  void OnMemberEvent(const gossip::MemberEvent& event);
  void LookSoon();
  void Tick();
  void Look();
  void UpdateTags();
  void ObserveMembers();
  void NameStranger(const gossip::SerfMember& member);
  void JoinMore();
  void JoinAddress(const std::string& address);
  void TryEach(const std::string& address, std::vector<gossip::Address> left);
  void OnJoinEnd(const std::string& address, const absl::Status& status);
  void SayAlone(bool wanted);
  void FollowRemovals();
  void SaveSnapshot();
  void SaveKeyring();

  void EndLeave();

  MemberKind KindOf(const gossip::SerfMember& member) const;
  size_t AliveOthers() const;
  gossip::Tags TagsNow() const;
  void Event(EventLevel level, const std::string& event, const EventFields& fields) const {
    if (dependencies_.events) dependencies_.events(level, event, fields);
  }

  const Dependencies dependencies_;
  const MembershipOptions options_;
  std::string address_;
  std::unique_ptr<gossip::GossipNode> gossip_;  // none once it is stopped
  Node* node_ = nullptr;
  gossip::Tags tags_;
  JoinSchedule joins_;
  env::Executor::TimerId timer_ = 0;
  base::Uuid cluster_;  // this node's; nil: none yet
  bool look_is_due_ = false;
  bool left_ = false;  // at least it is leaving
  bool leave_ended_ = false;
  std::vector<absl::AnyInvocable<void()>> when_left_;
  int64_t alone_said_ns_ = 0;
  int64_t saved_ns_ = 0;
  std::set<std::string> strangers_;  // members of other clusters, by name and cluster
  std::vector<gossip::SerfSnapshot::Known> known_;  // whom the last snapshot names
  std::string saved_snapshot_;
  struct Since {
    gossip::MemberStatus status = gossip::MemberStatus::kNone;
    int64_t ms = 0;
  };
  std::map<std::string, Since> since_;  // by member

  mutable base::Mutex mutex_;
  std::vector<std::string> candidates_ CAIRN_GUARDED_BY(mutex_);
  std::map<NodeId, GossipObservation> observed_ CAIRN_GUARDED_BY(mutex_);
  uint64_t stranger_count_ CAIRN_GUARDED_BY(mutex_) = 0;
};

// The tags that cairn's nodes carry; rpc_addr is that of cairn's ancestor.
inline constexpr char kRpcAddressTag[] = "rpc_addr";
inline constexpr char kClusterTag[] = "cluster";
inline constexpr char kNodeIdTag[] = "id";
inline constexpr char kVersionTag[] = "version";
inline constexpr char kRackTag[] = "rack";

}  // namespace cairn::cluster
