#include <limits>

#include "base/status_macros.h"
#include "base/strings.h"
#include "consensus/raft_core.h"

namespace cairn::consensus {
namespace {

// Indexes up to here can be added to without care, and none that is real is larger.
constexpr uint64_t kMaxIndex = uint64_t{1} << 62;

template <typename... Parts>
absl::Status Refuse(const Parts&... why) {
  return absl::InvalidArgumentError(base::StrCat("raft message: ", why...));
}

bool Is(Index index) { return index.value() <= kMaxIndex; }

// The place of a log's end: an index and its term, both or neither, the term not above `most`.
absl::Status CheckPlace(Index index, Term term, Term most) {
  if (!Is(index)) return Refuse("index ", index.value());
  if ((index.value() == 0) != (term.value() == 0) || term.value() < 0 || term > most) {
    return Refuse("index ", index.value(), " of term ", term.value(), " in a message of term ",
                  most.value());
  }
  return absl::OkStatus();
}

absl::Status CheckConfiguration(std::string_view bytes) {
  const auto configuration = Configuration::Decode(bytes);
  if (!configuration.ok()) return Refuse(base::StdView(configuration.status().message()));
  if (configuration->voter_count() == 0) return Refuse("a configuration without voters");
  return absl::OkStatus();
}

absl::Status CheckEntry(const log::Entry& entry) {
  const log::EntryHeader& header = entry.header;
  const uint64_t index = header.index.value();
  if (header.body_bytes > log::kMaxBodyBytes) {
    return Refuse("entry ", index, " of ", header.body_bytes, " bytes");
  }
  if (entry.buffer == nullptr || entry.body_position > entry.buffer->size() ||
      header.body_bytes > entry.buffer->size() - entry.body_position) {
    return Refuse("entry ", index, " without its body");
  }
  if ((header.kind == log::EntryKind::kBatch) != (header.record_count > 0)) {
    return Refuse("entry ", index, " of kind ", static_cast<int>(header.kind), " with ",
                  header.record_count, " records");
  }
  switch (header.kind) {
    case log::EntryKind::kBatch:
      return absl::OkStatus();
    case log::EntryKind::kBarrier:
      return header.body_bytes == 0 ? absl::OkStatus() : Refuse("barrier ", index, " with a body");
    case log::EntryKind::kConfiguration:
      return CheckConfiguration(entry.body());
  }
  return Refuse("entry ", index, " of kind ", static_cast<int>(header.kind));
}

absl::Status Check(const RequestVote& message) {
  return CheckPlace(message.last_index, message.last_term, message.term);
}

absl::Status Check(const RequestVoteResult&) { return absl::OkStatus(); }

absl::Status Check(const AppendEntries& message) {
  CAIRN_RETURN_IF_ERROR(CheckPlace(message.prev_index, message.prev_term, message.term));
  if (!Is(message.commit)) return Refuse("commit index ", message.commit.value());
  if (message.entries.size() > kMaxCheckedEntries) {
    return Refuse(message.entries.size(), " entries; the limit is ", kMaxCheckedEntries);
  }
  if (message.entries.size() != message.count) {
    return Refuse(message.entries.size(), " entries, announced as ", message.count);
  }
  Index index = message.prev_index;
  Term term = message.prev_term;
  for (const log::Entry& entry : message.entries) {
    if (entry.header.index != index + 1) {
      return Refuse("entry ", entry.header.index.value(), " behind ", index.value());
    }
    if (entry.header.term < term || entry.header.term.value() <= 0 ||
        entry.header.term > message.term) {
      return Refuse("entry of term ", entry.header.term.value(), " behind term ", term.value(),
                    " in a message of term ", message.term.value());
    }
    if (entry.header.index == Index(1) && entry.header.kind != log::EntryKind::kConfiguration) {
      return Refuse("a log that does not begin with a configuration");
    }
    CAIRN_RETURN_IF_ERROR(CheckEntry(entry));
    index = entry.header.index;
    term = entry.header.term;
  }
  return absl::OkStatus();
}

absl::Status Check(const AppendEntriesResult& message) {
  if (!Is(message.last_index)) return Refuse("index ", message.last_index.value());
  if (message.hint.value() < 0 || message.hint > message.term) {
    return Refuse("a hint of term ", message.hint.value(), " in a message of term ",
                  message.term.value());
  }
  if (message.rejected.value() == 0) return absl::OkStatus();
  // The largest index is how a deposed leader is refused.
  const bool refusal = message.rejected.value() == std::numeric_limits<uint64_t>::max();
  if ((!Is(message.rejected) && !refusal) || message.last_index >= message.rejected) {
    return Refuse("rejection of ", message.rejected.value(), " by a log that ends at ",
                  message.last_index.value());
  }
  return absl::OkStatus();
}

absl::Status Check(const InstallSnapshot& message) {
  CAIRN_RETURN_IF_ERROR(CheckPlace(message.last_index, message.last_term, message.term));
  if (message.last_index.value() == 0) return Refuse("a log start without an index");
  if (message.configuration_index.value() == 0 ||
      message.configuration_index > message.last_index) {
    return Refuse("configuration of index ", message.configuration_index.value(),
                  " for a log that starts behind ", message.last_index.value());
  }
  if (message.start_offset.value() > std::numeric_limits<int64_t>::max()) {
    return Refuse("offset ", message.start_offset.value());
  }
  if (message.state.size() > kMaxSnapshotStateBytes) {
    return Refuse("a state of ", message.state.size(), " bytes; the limit is ",
                  kMaxSnapshotStateBytes);
  }
  return CheckConfiguration(message.configuration);
}

absl::Status Check(const TimeoutNow& message) {
  return CheckPlace(message.last_index, message.last_term, message.term);
}

absl::Status Check(const Probe&) { return absl::OkStatus(); }
absl::Status Check(const ProbeResult&) { return absl::OkStatus(); }

}  // namespace

absl::Status CheckMessage(const Message& message) {
  return std::visit(
      [](const auto& each) {
        if (each.term.value() <= 0) return Refuse("term ", each.term.value());
        return Check(each);
      },
      message);
}

}  // namespace cairn::consensus
