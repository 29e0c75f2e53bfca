// Guard R: linearizable reads by asking a majority "is this still your term?".
//
// A leader of term T that has committed an entry of T notes its commit index and asks. A rival that
// committed something earlier than the question was elected by a majority which shares a voter with
// the one that answers; that voter's term is then above T, and it does not answer. No log write, no
// clock. (Raft dissertation, section 6.4, with probes of our own: the engine's heartbeats do not
// say which question they answer.)
//
// One question is on its way at a time; all reads that come meanwhile share the next one. Owned by
// the core.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "base/types.h"
#include "consensus/configuration.h"
#include "consensus/raft_core.h"

namespace cairn::consensus {

class ReadProbes {
 public:
  // The leader as it is now.
  struct Leader {
    NodeId self;
    Term term;
    Index commit;
    bool own_term_committed = false;
    Configuration configuration;
  };

  // A question is repeated after `resend_ms` (messages get lost), a read given up after
  // `timeout_ms`.
  ReadProbes(int64_t resend_ms, int64_t timeout_ms)
      : resend_ms_(resend_ms), timeout_ms_(timeout_ms) {}

  bool empty() const { return waiting_.empty() && !round_.has_value(); }
  // When Poll is due; nullopt when nothing waits.
  std::optional<int64_t> deadline_ms() const;

  // Call Poll next, after each of them.
  void Add(uint64_t token, int64_t now_ms, std::vector<Action>& actions);
  void OnResult(NodeId from, const ProbeResult& result);

  // Asks, asks again, answers, gives up, as is due. `leader`: nullptr when this node leads no more.
  void Poll(const Leader* leader, int64_t now_ms, std::vector<Action>& actions);

 private:
  struct Read {
    uint64_t token;
    int64_t since_ms;
  };
  struct Round {
    uint64_t sequence;
    Term term;
    Index commit;
    Configuration configuration;
    std::set<NodeId> yes;
    std::vector<Read> reads;
    int64_t sent_ms;
  };

  void Ask(const Leader& leader, int64_t now_ms, std::vector<Action>& actions);
  bool Proven() const;
  static void Answer(const std::vector<Read>& reads, std::optional<Index> index,
                     std::vector<Action>& actions);
  void GiveUpOld(std::vector<Read>& reads, int64_t now_ms, std::vector<Action>& actions) const;

  int64_t resend_ms_;
  int64_t timeout_ms_;
  uint64_t sequence_ = 0;
  std::vector<Read> waiting_;
  std::optional<Round> round_;
};

}  // namespace cairn::consensus
