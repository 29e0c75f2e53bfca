// Brokers: the nodes of a cluster as a client knows them: a channel to each, which of them answer,
// and who leads and holds which partition.
//
// Begins with the addresses the application named and learns the others from DescribeTopic. Never
// blocks: a call that failed is reported here, and what is known is then asked for again in the
// background. What is known may be old; whoever is asked then says so (NOT_LEADER), or passes
// the request on.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "client/channel.h"
#include "client/open_calls.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc
namespace cairn::v1 {
class DescribeTopicResponse;
}

namespace cairn::client {

// One of them, to be called.
struct Broker {
  std::string address;
  std::shared_ptr<grpc::Channel> channel;  // shared with the other calls to it
};

class Brokers {
 public:
  using Clock = std::chrono::steady_clock;

  // `seeds` are not empty.
  Brokers(std::vector<std::string> seeds, ChannelFactory factory);
  ~Brokers();

  // For what any node answers. Stays the same until it fails.
  Broker Any();
  // Whoever leads the partition as far as is known, unless it has just failed; else Any: which
  // passes on what is to be written.
  Broker Leader(const std::string& topic, int32_t partition);
  // As Leader, but nullopt instead of Any.
  std::optional<Broker> KnownLeader(const std::string& topic, int32_t partition);
  // One of those that hold the partition, in turn. Else Any.
  Broker Replica(const std::string& topic, int32_t partition);

  // A call to `address` about a partition ended with `status`, which is not OK or ended a stream
  // that should go on. Passes over the address for a while when that may help, notes the leader
  // that a NOT_LEADER names, and asks for the topic again. `partition` -1: it was about none.
  // Refused: the call goes on, so the node is there; it only could not do it.
  void Failed(const std::string& address, const std::string& topic, int32_t partition,
              const absl::Status& status);
  void Refused(const std::string& address, const std::string& topic, int32_t partition,
               const absl::Status& status);
  // A call to `address` succeeded.
  void Worked(const std::string& address);

  void Learn(const std::string& topic, const v1::DescribeTopicResponse& response);
  // Asks for the topic again when what is known is older than `age`. One question at a time.
  void RefreshIfOlder(const std::string& topic, Clock::duration age);

  // How many there are to try, and their addresses as one text for messages.
  size_t count() const;

  // Ends what runs in the background; before the end. Blocking, briefly.
  void Stop();

 private:
  struct Node {
    std::string address;
    std::shared_ptr<grpc::Channel> channel;  // made when it is first needed
    Clock::time_point shunned_until = Clock::time_point::min();
    Clock::time_point failed_at = Clock::time_point::min();
    bool away = false;    // it was not only unwilling
    bool worked = false;  // ever
    int failures = 0;     // to reach it, since it last answered
  };
  struct Partition {
    std::string leader;                 // empty: unknown
    std::vector<std::string> replicas;  // empty: unknown
  };
  struct Topic {
    std::map<int32_t, Partition> partitions;
    Clock::time_point learned_at = Clock::time_point::min();
    bool asking = false;
  };

  void NoteFailure(const std::string& address, const std::string& topic, int32_t partition,
                   const absl::Status& status, bool away);
  size_t IndexOf(const std::string& address) CAIRN_REQUIRES(mutex_);
  bool IsShunned(size_t index) const CAIRN_REQUIRES(mutex_);
  bool IsUsable(size_t index) const CAIRN_REQUIRES(mutex_);
  Broker Use(size_t index) CAIRN_REQUIRES(mutex_);
  Broker AnyLocked() CAIRN_REQUIRES(mutex_);
  std::optional<Broker> KnownLeaderLocked(const std::string& topic, int32_t partition)
      CAIRN_REQUIRES(mutex_);
  void NoteLeader(const std::string& topic, int32_t partition, const std::string& address)
      CAIRN_REQUIRES(mutex_);
  void Ask(const std::string& topic);
  void OnAnswered(const std::string& topic, const std::string& address, const absl::Status& status,
                  const v1::DescribeTopicResponse& response, grpc::ClientContext* context);

  const ChannelFactory factory_;
  mutable base::Mutex mutex_;
  const std::shared_ptr<OpenCalls> asked_ = std::make_shared<OpenCalls>();
  std::vector<Node> nodes_ CAIRN_GUARDED_BY(mutex_);  // the seeds first; only grows
  size_t current_ CAIRN_GUARDED_BY(mutex_) = 0;
  size_t next_replica_ CAIRN_GUARDED_BY(mutex_);
  std::map<std::string, Topic> topics_ CAIRN_GUARDED_BY(mutex_);
  std::set<grpc::ClientContext*> asking_ CAIRN_GUARDED_BY(mutex_);
  bool stopped_ CAIRN_GUARDED_BY(mutex_) = false;
};

}  // namespace cairn::client
