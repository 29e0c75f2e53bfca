#include "server/leave_cluster.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "base/error_info.h"

namespace cairn::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPoll(10);
// Asked again: there may have been no controller, and one that has removed the node says so.
constexpr milliseconds kAskAgain(500);

// What came of asking; shared with answers that come late.
struct Asked {
  std::atomic<bool> waits{false};
  std::atomic<bool> removed{false};
};

bool HasOthers(const cluster::Metadata& metadata, NodeId self) {
  return std::any_of(metadata.nodes.begin(), metadata.nodes.end(), [self](const auto& entry) {
    return entry.first != self && entry.second.state == cluster::NodeState::kActive;
  });
}

// A removed node is sent nothing more: its own metadata may never say that it was.
void AskToDrain(cluster::Node& node, const std::shared_ptr<Asked>& asked) {
  if (asked->waits.exchange(true)) return;
  cluster::SetNodeState drain;
  drain.node = node.id();
  drain.state = cluster::NodeState::kDraining;
  node.RunCommand(drain, [asked](const absl::StatusOr<cluster::CommandResult>& result) {
    const auto info = base::GetErrorInfo(result.status());
    if (info && info->reason == base::reason::kNodeRemoved) asked->removed = true;
    asked->waits = false;
  });
}

}  // namespace

void LeaveCluster(cluster::Node& node, Logger& logger) {
  const auto deadline = steady_clock::now() + milliseconds(kLeaveMs);
  auto ask_at = steady_clock::now();
  const auto asked = std::make_shared<Asked>();
  for (; steady_clock::now() < deadline; std::this_thread::sleep_for(kPoll)) {
    const auto view = node.metadata();
    const cluster::NodeInfo* self = view->metadata.FindNode(node.id());
    if (self == nullptr || !HasOthers(view->metadata, node.id())) {
      return logger.Log(LogModule::kServer, LogLevel::kWarn,
                        "not leaving: there is no other node to take over");
    }
    if (asked->removed || self->state == cluster::NodeState::kRemoved) {
      return logger.Log(LogModule::kServer, LogLevel::kInfo, "left the cluster",
                        {{"node_id", int64_t{node.id().value()}}});
    }
    if (steady_clock::now() < ask_at) continue;
    ask_at = steady_clock::now() + kAskAgain;
    AskToDrain(node, asked);
  }
  logger.Log(LogModule::kServer, LogLevel::kWarn, "stopping before the node has left",
             {{"replicas", node.metadata()->metadata.ReplicasOn(node.id())},
              {"hint",
               "`cairn cluster why` on another node says what is left to do; `cairn "
               "cluster resume` takes it back"}});
}

}  // namespace cairn::server
