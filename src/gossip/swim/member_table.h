// The members a node knows, and the order in which it probes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "env/random.h"
#include "gossip/swim/scheduler.h"
#include "gossip/wire/messages.h"

namespace cairn::gossip {

// A suspicion under way (Lifeguard section IV-B).
struct Suspicion {
  int64_t start_ns = 0;
  int64_t min_ns = 0;
  int64_t max_ns = 0;
  int expected = 0;  // confirmations after which it lasts min_ns
  int confirmations = 0;
  std::set<std::string> accusers;  // the first among them; at most expected + 1
  Scheduler::TimerId timer = Scheduler::kNone;
};

struct Member {
  std::string name;
  Address address;
  std::string meta;
  Versions versions;
  uint32_t incarnation = 0;
  NodeState state = NodeState::kDead;
  int64_t state_change_ns = 0;
  std::unique_ptr<Suspicion> suspicion;  // while suspect

  bool gone() const { return state == NodeState::kDead || state == NodeState::kLeft; }
};

// A number in [0, bound), bound > 0; a bias below bound / 2^64.
inline size_t RandomBelow(env::Random& random, size_t bound) {
  return static_cast<size_t>(random.Next() % bound);
}

// Not thread-safe. Members stay where they are until they are removed.
class MemberTable {
 public:
  explicit MemberTable(env::Random& random) : random_(random) {}

  Member* Find(const std::string& name);
  const Member* Find(const std::string& name) const;

  // A new member, dead, at a random place in the order (SWIM section 4.3). There is none of that
  // name, and fewer than kMaxMembers.
  Member& Add(const std::string& name);

  // The next member in the order that `probe` wants, or nullptr after a whole round without one. At
  // the end of a round the order is shuffled and those that `forget` names are removed.
  Member* NextToProbe(absl::FunctionRef<bool(const Member&)> probe,
                      absl::FunctionRef<bool(const Member&)> forget);

  // Up to `count` different members that `wanted` wants, at random. In a large table that wants few
  // it may give fewer than there are.
  std::vector<Member*> Pick(size_t count, absl::FunctionRef<bool(const Member&)> wanted);

  size_t size() const { return order_.size(); }
  const std::vector<std::unique_ptr<Member>>& members() const { return order_; }

 private:
  env::Random& random_;
  std::vector<std::unique_ptr<Member>> order_;
  // The key is the member's own name. Flat: it is asked for every message of every packet.
  absl::flat_hash_map<absl::string_view, Member*> by_name_;
  size_t next_ = 0;  // to be probed
};

}  // namespace cairn::gossip
