// The terms of a log's entries: one record per run of equal terms, not one per entry.
#pragma once

#include <vector>

#include "base/types.h"
#include "consensus/raft_core.h"

namespace cairn::consensus {

// Knows (snapshot_index, last_index] and the term at snapshot_index. Invariant: runs ascend in term
// and index, and the first begins at snapshot_index + 1. A value.
class TermTable {
 public:
  TermTable() = default;
  TermTable(Index snapshot_index, Term snapshot_term, Index last_index,
            std::vector<CoreState::TermRun> runs);

  Index snapshot_index() const { return snapshot_index_; }
  Index last_index() const { return last_index_; }
  Term last_term() const { return TermAt(last_index_); }
  const std::vector<CoreState::TermRun>& runs() const { return runs_; }

  // 0 outside [snapshot_index, last_index], and at index 0. O(log runs).
  Term TermAt(Index index) const;
  // The largest index in [low, from] whose term is at most `term`; `low` when there is none, `from`
  // when that is below `low`.
  Index LastAtMost(Term term, Index from, Index low) const;

  void Append(Term term);              // of the entry behind last_index; not below last_term()
  void Truncate(Index first);          // removes `first` and all behind it; first > snapshot_index
  void Compact(Index index);           // removes everything up to `index`, which is in the table
  void Reset(Index index, Term term);  // an empty log behind `index`

 private:
  Index snapshot_index_;
  Term snapshot_term_;
  Index last_index_;
  std::vector<CoreState::TermRun> runs_;
};

}  // namespace cairn::consensus
