// WriteTraces: the spans of the traced batches of one replica, from the moment it has them until
// nothing about them is left to be told.
//
//   commit                    leader: from the proposal until a majority has it
//     disk wait               until the disk took it: other groups of writes went before
//     fsync                   write and fdatasync, with all that shared them
//     replicate               per follower: from the first sending until it said that it has it
//       append                follower: from the message until it is on its disk
//         disk wait, fsync    as above
//
// Batches that are not traced cost one comparison. Belongs to the shard's loop.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "absl/status/status.h"
#include "base/lazy_deque.h"
#include "base/trace_context.h"
#include "base/types.h"
#include "env/clock.h"
#include "log/entry.h"
#include "telemetry/tracer.h"

namespace cairn::consensus {

// Batches that are followed at once; of more, the oldest is not followed to its end. A follower
// that is away must not cost memory for ever.
inline constexpr size_t kMaxTracedWrites = 64;

class WriteTraces {
 public:
  // Without `tracer` nothing is traced. Both outlive it.
  WriteTraces(telemetry::Tracer* tracer, const env::Clock& clock)
      : tracer_(tracer), clock_(clock) {}

  bool empty() const { return writes_.empty(); }

  // The log's next entry, which the leader will send to so many others; of entries that are not
  // traced nothing is noted.
  void OnStored(const log::Entry& entry, bool leading, size_t others) {
    if (entry.trace.sampled && tracer_ != nullptr) Begin(entry, leading, others);
  }
  // The disk works on all that is stored.
  void OnTaken();
  // Entries up to `last` are on the disk.
  void OnPersisted(Index last);
  // What goes along with `entry` to `follower`: the context of the span that waits for it, or
  // nothing.
  base::TraceContext ContextFor(NodeId follower, const log::Entry& entry);
  // `follower` has all up to `last`.
  void OnAcknowledged(NodeId follower, Index last);
  void OnCommitted(Index last);
  // Entries from `from` on are not in the log any more.
  void OnTruncated(Index from);
  // This replica leads no more, or closed: nothing more will be heard of what is followed.
  void Abandon(const absl::Status& why);

 private:
  struct Replication {
    base::TraceContext context;
    int64_t sent_ns = 0;
  };
  struct Write {
    log::EntryHeader header;
    bool leading = false;
    base::TraceContext context;  // of "commit" or "append"
    base::SpanId parent{};
    int64_t stored_ns = 0;
    int64_t taken_ns = 0;  // 0: not yet; and so on
    bool persisted = false;
    bool ended = false;  // the span itself; followers may still have to say that they have it
    size_t unsent = 0;   // followers that it was not sent to yet
    std::map<NodeId, Replication> followers;  // that have not
  };

  void Begin(const log::Entry& entry, bool leading, size_t others);
  Write* Find(Index index);
  void End(Write& write, const absl::Status& status);
  void EndChild(const Write& write, std::string_view name, int64_t start_ns, int64_t end_ns);
  void EndReplication(const Write& write, NodeId follower, const Replication& replication,
                      const absl::Status& status);
  void Drop(Write& write, const absl::Status& why);
  void RemoveDone();

  telemetry::Tracer* const tracer_;
  const env::Clock& clock_;
  base::LazyDeque<Write> writes_;  // ascending in index
};

}  // namespace cairn::consensus
