// What must hold whatever happens: the checkers of the core's simulator.
//
// They see the whole group at once, which no node can. The properties are those of the Raft paper,
// figure 3, and what cairn promises on top: an acknowledged entry is durable on a majority, a
// linearizable read is not stale.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "consensus/core_sim_log.h"

namespace cairn::consensus {

class CoreSimChecks {
 public:
  // The first violation; empty while there is none.
  const std::string& violation() const { return violation_; }
  void Fail(std::string what);

  // The log with which every group begins.
  void Begin(const log::Entry& first);

  // `node` is about to hold `entries` behind `log`, which ends right before them.
  void OnStore(NodeId node, const SimLog& log, Index committed, const StoreEntries& store);
  // `node`, in term `term`, learned that `entry` is committed.
  void OnCommit(NodeId node, Term term, const log::Entry& entry);
  // `node` became leader of `term` in its `incarnation`th life, with this log.
  void OnLeader(NodeId node, Term term, uint64_t incarnation, const SimLog& log);

  Index last_committed() const { return committed_.empty() ? Index() : committed_.rbegin()->first; }

 private:
  std::string violation_;
  std::map<Index, log::Entry> committed_;  // by anybody, ever
  // Log matching: an entry is known by index and term, and so is all before it.
  std::map<std::pair<Index, Term>, std::pair<log::Entry, Term>> known_;
  std::map<Term, std::pair<NodeId, uint64_t>> leaders_;
  std::map<Term, Index> committed_in_;  // by the leader of the term: up to here
};

}  // namespace cairn::consensus
