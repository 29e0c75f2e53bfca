// Reconcile: what the controller should do next, and what it waits for.
//
// Pure and deterministic. The controller calls it whenever something changed and every few seconds,
// proposes the commands, and calls it again when they are applied: whatever event was missed, the
// next call sees the difference between what is wanted and what is. When all is well it returns
// neither commands nor waits.
//
// It only says where replicas should be (SetReplicas); the leaders of the groups bring that about
// (NextStep). A partition gets a new target only while its leader reports, and while its group is
// what the last target said: one change of a partition at a time. The exception is a target that
// can no longer be reached because a node in it died.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/command.h"
#include "cluster/metadata.h"
#include "cluster/observed.h"

namespace cairn::cluster {

// Partitions that change at one time, over the whole cluster: each of them streams a log, and
// serving must go on meanwhile.
inline constexpr size_t kMaxMoves = 8;
// Reports of leaders that are older say nothing.
inline constexpr int64_t kReportFreshMs = 30'000;
// More are summed up in one.
inline constexpr size_t kMaxWaits = 1000;

struct Wait {
  std::string about;  // "node 3 (name)", "partition orders/2", "group 0"
  std::string why;  // "has been silent for 42 s; its 7 replicas are rebuilt elsewhere after 300 s"
};

struct ReconcilePlan {
  std::vector<Command> commands;
  std::vector<Wait> waits;
};

ReconcilePlan Reconcile(const Metadata& metadata, const Observed& observed, int64_t now_ms);

}  // namespace cairn::cluster
