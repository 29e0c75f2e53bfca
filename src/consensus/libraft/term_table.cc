#include "consensus/libraft/term_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace cairn::consensus {

TermTable::TermTable(Index snapshot_index, Term snapshot_term, Index last_index,
                     std::vector<CoreState::TermRun> runs)
    : snapshot_index_(snapshot_index),
      snapshot_term_(snapshot_term),
      last_index_(last_index),
      runs_(std::move(runs)) {}

Term TermTable::TermAt(Index index) const {
  if (index == snapshot_index_) return snapshot_term_;
  if (index < snapshot_index_ || index > last_index_) return Term();
  const auto behind = std::upper_bound(
      runs_.begin(), runs_.end(), index,
      [](Index wanted, const CoreState::TermRun& run) { return wanted < run.first_index; });
  return std::prev(behind)->term;
}

Index TermTable::LastAtMost(Term term, Index from, Index low) const {
  Index index = std::min(from, last_index_);
  if (index <= low) return index;
  for (auto run = runs_.rbegin(); run != runs_.rend() && index > low; ++run) {
    if (run->first_index > index) continue;
    if (run->term <= term) return index;
    index = run->first_index - 1;
  }
  return std::max(index, low);
}

void TermTable::Append(Term term) {
  CAIRN_CHECK(term >= last_term(), "terms go back within a log");
  ++last_index_;
  if (runs_.empty() || runs_.back().term != term) runs_.push_back({term, last_index_});
}

void TermTable::Truncate(Index first) {
  CAIRN_CHECK(first > snapshot_index_, "what was compacted cannot be replaced");
  if (first > last_index_) return;
  while (!runs_.empty() && runs_.back().first_index >= first) runs_.pop_back();
  last_index_ = first - 1;
}

void TermTable::Compact(Index index) {
  CAIRN_CHECK(index > snapshot_index_ && index <= last_index_, "compacts what is not there");
  snapshot_term_ = TermAt(index);
  snapshot_index_ = index;
  // The run that holds index + 1, if any, is the first that stays.
  const auto behind = std::upper_bound(
      runs_.begin(), runs_.end(), index + 1,
      [](Index wanted, const CoreState::TermRun& run) { return wanted < run.first_index; });
  runs_.erase(runs_.begin(), index == last_index_ ? runs_.end() : std::prev(behind));
  if (!runs_.empty()) runs_.front().first_index = index + 1;
}

void TermTable::Reset(Index index, Term term) {
  snapshot_index_ = last_index_ = index;
  snapshot_term_ = term;
  runs_.clear();
}

}  // namespace cairn::consensus
