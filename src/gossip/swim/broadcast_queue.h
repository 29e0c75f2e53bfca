// What is to be told to everybody by telling a few (SWIM section 4.1): each message is handed out a
// limited number of times, those that were sent least first. A newer message about the same thing
// takes the place of the older.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"

namespace cairn::gossip {

// Not thread-safe.
class BroadcastQueue {
 public:
  using Finished = absl::AnyInvocable<void()>;

  // Messages that wait; when there are more, those that were sent most go.
  static constexpr size_t kMaxMessages = 4096;

  // `about` names what it is about; "": nothing invalidates it. `finished` runs when it was sent as
  // often as it is to be, or was invalidated or dropped.
  void Add(std::string about, std::string message, Finished finished = nullptr);

  // Appends to `to` messages for one packet, in which each takes `overhead_bytes` and its size, and
  // all together at most `room_bytes`. Each of them has been sent once more, and is gone after
  // `limit` times.
  void Take(size_t overhead_bytes, size_t room_bytes, int limit, std::vector<std::string>& to);

  bool empty() const { return queue_.empty(); }
  size_t size() const { return queue_.size(); }

 private:
  struct Item {
    int sent = 0;
    size_t size_bytes = 0;
    uint64_t number = 0;
    // Not part of the order.
    std::string about;
    std::string message;
    mutable Finished finished;

    // Least sent first; the longest first, so that packets get full; the newest first.
    friend bool operator<(const Item& a, const Item& b) {
      if (a.sent != b.sent) return a.sent < b.sent;
      if (a.size_bytes != b.size_bytes) return a.size_bytes > b.size_bytes;
      return a.number > b.number;
    }
  };
  using Queue = std::set<Item>;

  // What is to be called for it, now that it is gone.
  Finished Remove(Queue::iterator at);

  Queue queue_;
  absl::flat_hash_map<std::string, Queue::iterator> by_subject_;
  uint64_t last_number_ = 0;
};

}  // namespace cairn::gossip
