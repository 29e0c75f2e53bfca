#include "consensus/core_state.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::consensus {

absl::StatusOr<CoreState> LoadCoreState(const log::Log& log, const StableStore& store,
                                        GroupId group) {
  CAIRN_ASSIGN_OR_RETURN(const StableStore::GroupState stored, store.Load(group));
  CoreState state;
  state.vote = stored.vote;
  const log::LogStart first = log.first();
  state.snapshot_index = first.index - 1;
  state.snapshot_term = first.term;
  state.last_index = log.end_index() - 1;
  CAIRN_ASSIGN_OR_RETURN(const auto terms, log.Terms());
  for (const log::TermStart& run : terms) state.terms.push_back({run.term, run.first_index});
  state.term = std::max(
      {stored.term, terms.empty() ? first.term : terms.back().term, stored.departure.term});
  state.forgot_up_to = stored.departure.index;
  if (state.term != stored.term) state.vote = NodeId();  // the store is older than the log

  const auto term_at = [&](Index index) {
    Term term;
    for (const auto& run : state.terms) {
      if (run.first_index <= index) term = run.term;
    }
    return term;
  };
  for (const auto& [index, one] : stored.configurations) {
    if (index <= state.snapshot_index) {
      // The last of these is in force at the log's beginning.
      state.configurations.clear();
      state.configurations.emplace(index, one.configuration);
    } else if (index <= state.last_index && term_at(index) == one.term) {
      state.configurations.emplace(index, one.configuration);
    }
  }
  if (state.last_index.value() > 0 && state.configurations.empty()) {
    return absl::DataLossError(base::StrCat(
        "the stable store knows no configuration of group ", group.value(),
        ", whose log holds entries [", first.index.value(), ", ", log.end_index().value(), ")"));
  }
  return state;
}

}  // namespace cairn::consensus
