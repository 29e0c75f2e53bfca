// PeerOutbox: what a group's leader has still to send to one follower.
//
// The core says which entries a follower should get, as ranges; an outbox turns them into messages
// of bounded size, with entries from memory or from the store files, as fast as the connection
// takes them. It holds ranges, not entries: a slow follower costs no memory. Ranges that a newer
// message covers are dropped, because the engine repeats everything outstanding to a silent
// follower.
//
// Belongs to the shard's loop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/lazy_deque.h"
#include "base/types.h"
#include "consensus/peer_link.h"
#include "consensus/raft_message.h"
#include "env/executor.h"
#include "log/entry.h"

namespace cairn::consensus {

// About this many bytes of entries go into one message, at least one entry: large enough to cost
// little per byte, small enough for another group's heartbeat to wait behind it.
inline constexpr size_t kAppendMessageBytes = 512 << 10;
// More waiting ranges than this are never useful: the oldest go.
inline constexpr size_t kMaxWaitingAppends = 1024;

class PeerOutbox : public std::enable_shared_from_this<PeerOutbox> {
 public:
  // The leader's log, as far as an outbox needs it. On the loop.
  class Source {
   public:
    using ReadCallback = absl::AnyInvocable<void(absl::StatusOr<std::vector<log::Entry>>)>;
    virtual ~Source() = default;
    // Entries [from, limit), about max_bytes and at least one, when they are in memory.
    virtual std::optional<std::vector<log::Entry>> EntriesInMemory(Index from, Index limit,
                                                                   size_t max_bytes) = 0;
    // The same from the disk; `done` runs on the loop, never inline.
    virtual void ReadEntries(Index from, Index limit, size_t max_bytes, ReadCallback done) = 0;
    // `entries` go to `to` now, or soon again: gives those that are traced the context that goes
    // along.
    virtual void OnSend(NodeId to, std::span<log::Entry> entries) = 0;
    // Whether this node still leads in `term`.
    virtual bool LeadsIn(Term term) const = 0;
    virtual Term TermAt(Index index) const = 0;  // 0 when it is not known any more
    virtual Index commit_index() const = 0;
  };

  // `source` and `link` outlive the outbox or its Close.
  PeerOutbox(NodeId to, GroupId group, Source& source, PeerLink& link, env::Executor& loop)
      : to_(to), group_(group), source_(source), link_(link), loop_(loop) {}

  // `urgency` is that of a message without entries; entries always go at once.
  void Push(Message message, Urgency urgency = Urgency::kNow);

  // Drops everything; nothing is sent or asked any more.
  void Close();

  size_t waiting() const { return queue_.size(); }

 private:
  void PushAppend(AppendEntries append);
  void Pump();
  // Sends what the head of the queue still lacks. False when it has to wait.
  bool SendHead(AppendEntries& head);
  bool SendEntries(AppendEntries& head, std::vector<log::Entry> entries);
  void WaitForRoom();

  const NodeId to_;
  const GroupId group_;
  Source& source_;
  PeerLink& link_;
  env::Executor& loop_;
  base::LazyDeque<Message> queue_;  // AppendEntries and InstallSnapshot, whose order matters
  bool reading_ = false;            // entries of the head are on their way from the disk
  bool blocked_ = false;            // waits for the link
  bool notice_asked_ = false;       // the link calls back
  bool closed_ = false;
  Urgency urgency_ = Urgency::kNow;  // of a message without entries that is in the queue
};

}  // namespace cairn::consensus
