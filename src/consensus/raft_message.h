// The messages that the members of a Raft group send each other, as values. How they travel is the
// peer transport's; peer_codec.h has their bytes.
//
// Names and meaning are those of the Raft paper (Ongaro, Ousterhout: "In Search of an
// Understandable Consensus Algorithm", figure 2) and of its dissertation's chapter 9.6 (pre-vote).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/types.h"
#include "log/entry.h"

namespace cairn::consensus {

struct RequestVote {
  Term term;
  Index last_index;
  Term last_term;
  bool disrupt_leader = false;  // part of a leadership transfer: vote although a leader is known
  bool pre_vote = false;

  friend bool operator==(const RequestVote&, const RequestVote&) = default;
};

struct RequestVoteResult {
  Term term;
  bool granted = false;
  bool pre_vote = false;

  friend bool operator==(const RequestVoteResult&, const RequestVoteResult&) = default;
};

struct AppendEntries {
  Term term;
  Index prev_index;
  Term prev_term;
  Index commit;  // the leader's
  // How many entries follow prev_index. The core emits the count alone; whoever sends the message
  // fills `entries`, whole or as several messages.
  uint32_t count = 0;
  std::vector<log::Entry> entries;
};

struct AppendEntriesResult {
  Term term;
  Index rejected;    // 0: accepted; otherwise the prev_index that did not match
  Index last_index;  // of the follower's log; of a rejection: where the leader may try next
  Term hint;         // of a rejection: the follower's term at last_index; 0 when it has none

  friend bool operator==(const AppendEntriesResult&, const AppendEntriesResult&) = default;
};

// The log begins behind last_index. Carries no records: what lies behind is streamed as entries.
struct InstallSnapshot {
  Term term;
  Index last_index;
  Term last_term;
  Index configuration_index;
  std::string configuration;  // Configuration::Encode
  Offset start_offset;        // first offset behind last_index; filled by whoever sends it
  std::string state;          // of the group's state machine; filled by whoever sends it

  friend bool operator==(const InstallSnapshot&, const InstallSnapshot&) = default;
};

// Leadership transfer: stand for election at once.
struct TimeoutNow {
  Term term;
  Index last_index;
  Term last_term;

  friend bool operator==(const TimeoutNow&, const TimeoutNow&) = default;
};

// Linearizable reads: "is `term` still your term?" The answer repeats both fields; no answer means
// no.
struct Probe {
  Term term;
  uint64_t sequence = 0;

  friend bool operator==(const Probe&, const Probe&) = default;
};

struct ProbeResult {
  Term term;
  uint64_t sequence = 0;

  friend bool operator==(const ProbeResult&, const ProbeResult&) = default;
};

using Message = std::variant<RequestVote, RequestVoteResult, AppendEntries, AppendEntriesResult,
                             InstallSnapshot, TimeoutNow, Probe, ProbeResult>;

}  // namespace cairn::consensus
