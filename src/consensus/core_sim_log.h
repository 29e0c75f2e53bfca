// SimLog: the log of a simulated node, as it believes it to be or as its disk holds it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "consensus/raft_core.h"
#include "log/entry.h"

namespace cairn::consensus {

// Of two nodes' entries at one index: are they the same entry? (Headers differ in what the driver
// fills in.)
inline bool SameEntry(const log::Entry& a, const log::Entry& b) {
  return a.header.term == b.header.term && a.header.kind == b.header.kind && a.body() == b.body();
}

class SimLog {
 public:
  Index snapshot_index() const { return snapshot_index_; }
  Index last_index() const { return snapshot_index_ + entries_.size(); }
  const log::Entry& At(Index index) const { return entries_[index - snapshot_index_ - 1]; }
  bool Has(Index index) const { return index > snapshot_index_ && index <= last_index(); }
  // 0 outside [snapshot_index, last_index].
  Term TermAt(Index index) const {
    if (index == snapshot_index_) return snapshot_term_;
    return Has(index) ? At(index).header.term : Term();
  }
  // The configuration in force at `index`.
  std::pair<Index, Configuration> ConfigurationAt(Index index) const {
    const auto behind = configurations_.upper_bound(index);
    if (behind == configurations_.begin()) return {};
    return *std::prev(behind);
  }

  void Truncate(Index first) {
    if (first > last_index()) return;
    entries_.resize(first - snapshot_index_ - 1);
    configurations_.erase(configurations_.lower_bound(first), configurations_.end());
  }
  void Append(const log::Entry& entry) {
    entries_.push_back(entry);
    if (entry.header.kind == log::EntryKind::kConfiguration) {
      configurations_[last_index()] = *Configuration::Decode(entry.body());
    }
  }
  void Reset(const InstallSnapshot& snapshot) {
    entries_.clear();
    snapshot_index_ = snapshot.last_index;
    snapshot_term_ = snapshot.last_term;
    configurations_.clear();
    configurations_[snapshot.last_index] = *Configuration::Decode(snapshot.configuration);
  }
  // Removes everything up to `index`, which the log has.
  void Compact(Index index) {
    snapshot_term_ = TermAt(index);
    entries_.erase(entries_.begin(),
                   entries_.begin() + static_cast<ptrdiff_t>(index - snapshot_index_));
    snapshot_index_ = index;
    configurations_.erase(configurations_.begin(), std::prev(configurations_.upper_bound(index)));
  }

  CoreState State(Term term, NodeId vote) const {
    CoreState state;
    state.term = term;
    state.vote = vote;
    state.snapshot_index = snapshot_index_;
    state.snapshot_term = snapshot_term_;
    state.last_index = last_index();
    for (const log::Entry& entry : entries_) {
      if (state.terms.empty() || state.terms.back().term != entry.header.term) {
        state.terms.push_back({entry.header.term, entry.header.index});
      }
    }
    state.configurations = configurations_;
    return state;
  }

 private:
  Index snapshot_index_;
  Term snapshot_term_;
  std::vector<log::Entry> entries_;
  std::map<Index, Configuration> configurations_;
};

}  // namespace cairn::consensus
