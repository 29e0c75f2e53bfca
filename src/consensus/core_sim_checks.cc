#include "consensus/core_sim_checks.h"

#include <algorithm>

#include "base/strings.h"

namespace cairn::consensus {

void CoreSimChecks::Fail(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

void CoreSimChecks::Begin(const log::Entry& first) {
  committed_[first.header.index] = first;
  known_[{first.header.index, first.header.term}] = {first, Term()};
}

void CoreSimChecks::OnStore(NodeId node, const SimLog& log, Index committed,
                            const StoreEntries& store) {
  if (store.first <= committed) {
    Fail(base::StrCat("node ", node.value(), " rewrites committed entry ", store.first.value()));
  }
  Term before = log.TermAt(store.first - 1);
  for (const log::Entry& entry : store.entries) {
    const log::EntryHeader& header = entry.header;
    const auto [known, fresh] = known_.insert({{header.index, header.term}, {entry, before}});
    if (!fresh && (!SameEntry(known->second.first, entry) || known->second.second != before)) {
      Fail(base::StrCat("log matching: node ", node.value(), " has another entry ",
                        header.index.value(), " of term ", header.term.value()));
    }
    before = header.term;
  }
}

void CoreSimChecks::OnCommit(NodeId node, Term term, const log::Entry& entry) {
  const Index index = entry.header.index;
  if (const auto known = committed_.find(index); known != committed_.end()) {
    if (!SameEntry(known->second, entry)) {
      Fail(base::StrCat("committed entry ", index.value(), " has term ",
                        known->second.header.term.value(), ", but on node ", node.value(), " term ",
                        entry.header.term.value()));
    }
    return;
  }
  if (index != last_committed() + 1) {
    Fail(base::StrCat("node ", node.value(), " commits ", index.value(), " behind ",
                      last_committed().value()));
  }
  committed_[index] = entry;
  committed_in_[term] = index;
}

void CoreSimChecks::OnLeader(NodeId node, Term term, uint64_t incarnation, const SimLog& log) {
  const auto [known, fresh] = leaders_.insert({term, {node, incarnation}});
  if (!fresh && known->second != std::pair(node, incarnation)) {
    Fail(base::StrCat("term ", term.value(), " is led by node ", known->second.first.value(),
                      " and node ", node.value()));
  }
  // Leader Completeness, for what was committed in lower terms: a late vote may lawfully elect a
  // leader of an older term.
  Index due;
  for (auto each = committed_in_.begin(); each != committed_in_.lower_bound(term); ++each) {
    due = std::max(due, each->second);
  }
  if (due.value() > 0 && log.snapshot_index() <= due &&
      log.TermAt(due) != committed_[due].header.term) {
    Fail(base::StrCat("leader ", node.value(), " of term ", term.value(), " lacks committed entry ",
                      due.value()));
  }
}

}  // namespace cairn::consensus
