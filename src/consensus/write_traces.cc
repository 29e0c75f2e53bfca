#include "consensus/write_traces.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cairn::consensus {
namespace {

std::vector<telemetry::SpanAttribute> AttributesOf(const log::EntryHeader& header) {
  return {{"cairn.index", static_cast<int64_t>(header.index.value())},
          {"cairn.term", static_cast<int64_t>(header.term.value())},
          {"cairn.base_offset", static_cast<int64_t>(header.base_offset.value())},
          {"cairn.records", static_cast<int64_t>(header.record_count)},
          {"cairn.bytes", static_cast<int64_t>(header.body_bytes)}};
}

}  // namespace

void WriteTraces::Begin(const log::Entry& entry, bool leading, size_t others) {
  if (writes_.size() >= kMaxTracedWrites) {
    Drop(writes_.front(), absl::CancelledError("not followed any more: others are traced"));
    writes_.pop_front();
  }
  writes_.push_back({.header = entry.header,
                     .leading = leading,
                     .context = tracer_->ChildOf(entry.trace),
                     .parent = entry.trace.span_id,
                     .stored_ns = clock_.MonotonicNs(),
                     .unsent = leading ? others : 0});
}

void WriteTraces::OnTaken() {
  if (empty()) return;
  const int64_t now_ns = clock_.MonotonicNs();
  for (Write& write : writes_) {
    if (write.taken_ns != 0) continue;
    write.taken_ns = now_ns;
    EndChild(write, "disk wait", write.stored_ns, now_ns);
  }
}

void WriteTraces::OnPersisted(Index last) {
  if (empty()) return;
  const int64_t now_ns = clock_.MonotonicNs();
  for (Write& write : writes_) {
    if (write.header.index > last) break;
    if (write.persisted) continue;
    write.persisted = true;
    EndChild(write, "fsync", write.taken_ns, now_ns);
    if (!write.leading) End(write, absl::OkStatus());
  }
  RemoveDone();
}

WriteTraces::Write* WriteTraces::Find(Index index) {
  const auto it = std::find_if(writes_.begin(), writes_.end(),
                               [index](const Write& write) { return write.header.index == index; });
  return it == writes_.end() ? nullptr : &*it;
}

base::TraceContext WriteTraces::ContextFor(NodeId follower, const log::Entry& entry) {
  Write* const write = entry.trace.sampled ? Find(entry.header.index) : nullptr;
  if (write == nullptr || !write->leading) return {};
  const auto [it, first] = write->followers.try_emplace(follower);
  if (first) {
    it->second = {tracer_->ChildOf(write->context), clock_.MonotonicNs()};
    if (write->unsent > 0) --write->unsent;
  }
  return it->second.context;
}

void WriteTraces::OnAcknowledged(NodeId follower, Index last) {
  if (empty()) return;
  for (Write& write : writes_) {
    if (write.header.index > last) break;
    const auto it = write.followers.find(follower);
    if (it == write.followers.end()) continue;
    EndReplication(write, follower, it->second, absl::OkStatus());
    write.followers.erase(it);
  }
  RemoveDone();
}

void WriteTraces::OnCommitted(Index last) {
  if (empty()) return;
  for (Write& write : writes_) {
    if (write.header.index > last) break;
    if (write.leading && !write.ended) End(write, absl::OkStatus());
  }
  RemoveDone();
}

void WriteTraces::OnTruncated(Index from) {
  while (!empty() && writes_.back().header.index >= from) {
    Drop(writes_.back(), absl::AbortedError("replaced by what another leader has"));
    writes_.pop_back();
  }
}

void WriteTraces::Abandon(const absl::Status& why) {
  for (Write& write : writes_) Drop(write, why);
  writes_.clear();
}

void WriteTraces::End(Write& write, const absl::Status& status) {
  write.ended = true;
  tracer_->End({.name = write.leading ? "commit" : "append",
                .context = write.context,
                .parent = write.parent,
                .start_ns = write.stored_ns,
                .end_ns = clock_.MonotonicNs(),
                .status = status,
                .attributes = AttributesOf(write.header)});
}

void WriteTraces::EndChild(const Write& write, std::string_view name, int64_t start_ns,
                           int64_t end_ns) {
  tracer_->End({.name = name,
                .context = tracer_->ChildOf(write.context),
                .parent = write.context.span_id,
                .start_ns = start_ns,
                .end_ns = end_ns});
}

void WriteTraces::EndReplication(const Write& write, NodeId follower,
                                 const Replication& replication, const absl::Status& status) {
  tracer_->End({.name = "replicate",
                .kind = telemetry::SpanKind::kClient,
                .context = replication.context,
                .parent = write.context.span_id,
                .start_ns = replication.sent_ns,
                .end_ns = clock_.MonotonicNs(),
                .status = status,
                .attributes = {{"cairn.node", static_cast<int64_t>(follower.value())}}});
}

void WriteTraces::Drop(Write& write, const absl::Status& why) {
  for (const auto& [follower, replication] : std::exchange(write.followers, {})) {
    EndReplication(write, follower, replication, why);
  }
  if (!write.ended) End(write, why);
}

// What is on the disk, committed, and acknowledged by all others.
void WriteTraces::RemoveDone() {
  const auto is_over = [](const Write& write) {
    return write.persisted && write.ended && write.unsent == 0 && write.followers.empty();
  };
  writes_.erase(std::remove_if(writes_.begin(), writes_.end(), is_over), writes_.end());
}

}  // namespace cairn::consensus
