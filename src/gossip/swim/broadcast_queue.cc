#include "gossip/swim/broadcast_queue.h"

#include <utility>

namespace cairn::gossip {
namespace {

// A packet is full enough when so many messages in a row did not fit.
constexpr int kMaxMisses = 32;

}  // namespace

BroadcastQueue::Finished BroadcastQueue::Remove(Queue::iterator at) {
  if (!at->about.empty()) by_subject_.erase(at->about);
  Finished finished = std::move(at->finished);
  queue_.erase(at);
  return finished;
}

void BroadcastQueue::Add(std::string about, std::string message, Finished finished) {
  Finished invalidated;
  Finished dropped;
  if (!about.empty()) {
    if (const auto older = by_subject_.find(about); older != by_subject_.end()) {
      invalidated = Remove(older->second);
    }
  }
  if (queue_.size() == kMaxMessages) dropped = Remove(std::prev(queue_.end()));
  Item item;
  item.size_bytes = message.size();
  item.number = ++last_number_;
  item.about = about;
  item.message = std::move(message);
  item.finished = std::move(finished);
  const auto at = queue_.insert(std::move(item)).first;
  if (!about.empty()) by_subject_[std::move(about)] = at;
  // Last: they may add more.
  if (invalidated) invalidated();
  if (dropped) dropped();
}

void BroadcastQueue::Take(size_t overhead_bytes, size_t room_bytes, int limit,
                          std::vector<std::string>& to) {
  std::vector<Queue::node_type> taken;
  std::vector<Finished> finished;
  int misses = 0;
  for (auto at = queue_.begin(); at != queue_.end() && misses < kMaxMisses;) {
    const size_t size = overhead_bytes + at->size_bytes;
    const auto next = std::next(at);
    if (size > room_bytes) {
      ++misses;
    } else {
      room_bytes -= size;
      to.push_back(at->message);
      if (at->sent + 1 >= limit) {
        finished.push_back(Remove(at));
      } else {
        taken.push_back(queue_.extract(at));
      }
    }
    at = next;
  }
  for (Queue::node_type& node : taken) {
    ++node.value().sent;
    const auto at = queue_.insert(std::move(node)).position;
    if (!at->about.empty()) by_subject_[at->about] = at;
  }
  for (Finished& each : finished) {
    if (each) each();
  }
}

}  // namespace cairn::gossip
