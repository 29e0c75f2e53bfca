#include "consensus/peer_outbox.h"

#include <algorithm>
#include <utility>

namespace cairn::consensus {

void PeerOutbox::Push(Message message, Urgency urgency) {
  if (closed_) return;
  if (auto* append = std::get_if<AppendEntries>(&message)) {
    if (append->count == 0) urgency_ = urgency;
    PushAppend(std::move(*append));
  } else if (std::holds_alternative<InstallSnapshot>(message)) {
    // What was to be sent before it does not fit any more: that is why there is a snapshot.
    if (!reading_) queue_.clear();
    queue_.push_back(std::move(message));
  } else {
    // Votes, answers, probes: their sender repeats what is lost.
    (void)link_.Send(to_, group_, message, urgency);
    return;
  }
  // Also when the link has promised to call back: it forgets its promise with a peer that goes.
  blocked_ = false;
  Pump();
}

void PeerOutbox::PushAppend(AppendEntries append) {
  // While its entries are read, the head is being worked on.
  const size_t fixed = reading_ ? 1 : 0;
  while (queue_.size() > fixed) {
    const auto* last = std::get_if<AppendEntries>(&queue_.back());
    if (last == nullptr || (last->term == append.term && last->prev_index < append.prev_index)) {
      break;
    }
    queue_.pop_back();  // covered by the newer one, or of an older term
  }
  if (append.count == 0 && !queue_.empty()) return;  // what waits is as good a heartbeat
  if (queue_.size() >= kMaxWaitingAppends)
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(fixed));
  queue_.push_back(std::move(append));
}

void PeerOutbox::Pump() {
  while (!closed_ && !reading_ && !blocked_ && !queue_.empty()) {
    if (auto* append = std::get_if<AppendEntries>(&queue_.front())) {
      if (!SendHead(*append)) return;
      continue;
    }
    if (!link_.Send(to_, group_, queue_.front(), Urgency::kNow)) return WaitForRoom();
    queue_.pop_front();
  }
}

bool PeerOutbox::SendHead(AppendEntries& head) {
  if (!source_.LeadsIn(head.term) ||
      (head.prev_index.value() != 0 && source_.TermAt(head.prev_index) != head.prev_term)) {
    queue_.pop_front();
    return true;
  }
  if (head.count == 0) {
    if (!SendEntries(head, {})) return false;
    queue_.pop_front();
    return true;
  }
  const Index from = head.prev_index + 1;
  const Index limit = from + head.count;
  if (auto entries = source_.EntriesInMemory(from, limit, kAppendMessageBytes)) {
    if (!SendEntries(head, *std::move(entries))) return false;
    if (head.count == 0) queue_.pop_front();
    return true;
  }
  reading_ = true;
  source_.ReadEntries(from, limit, kAppendMessageBytes, [self = shared_from_this()](auto entries) {
    self->reading_ = false;
    if (self->closed_ || self->queue_.empty()) return;
    auto* append = std::get_if<AppendEntries>(&self->queue_.front());
    // What cannot be read cannot be sent: the follower's next rejection leads
    // the core to a snapshot, or the damage is met by the log's own check.
    if (append == nullptr || !entries.ok() || entries->empty() ||
        entries->front().header.index != append->prev_index + 1) {
      self->queue_.pop_front();
    } else if (!self->source_.LeadsIn(append->term)) {
      self->queue_.pop_front();
    } else if (self->SendEntries(*append, *std::move(entries))) {
      if (append->count == 0) self->queue_.pop_front();
    }
    self->Pump();
  });
  return false;
}

bool PeerOutbox::SendEntries(AppendEntries& head, std::vector<log::Entry> entries) {
  AppendEntries message;
  message.term = head.term;
  message.prev_index = head.prev_index;
  message.prev_term = head.prev_term;
  message.commit = std::max(head.commit, source_.commit_index());
  message.count = static_cast<uint32_t>(entries.size());
  message.entries = std::move(entries);
  source_.OnSend(to_, message.entries);
  const Index last = head.prev_index + message.count;
  const Term last_term =
      message.entries.empty() ? head.prev_term : message.entries.back().header.term;
  const uint32_t sent = message.count;
  if (!link_.Send(to_, group_, message, sent == 0 ? urgency_ : Urgency::kNow)) {
    WaitForRoom();
    return false;
  }
  head.count -= sent;
  head.prev_index = last;
  head.prev_term = last_term;
  return true;
}

void PeerOutbox::WaitForRoom() {
  blocked_ = true;
  if (std::exchange(notice_asked_, true)) return;
  link_.NotifyWritable(to_, [weak = weak_from_this(), &loop = loop_] {
    loop.Post([weak] {
      const auto self = weak.lock();
      if (self == nullptr || self->closed_) return;
      self->notice_asked_ = false;
      self->blocked_ = false;
      self->Pump();
    });
  });
}

void PeerOutbox::Close() {
  closed_ = true;
  queue_.clear();
}

}  // namespace cairn::consensus
