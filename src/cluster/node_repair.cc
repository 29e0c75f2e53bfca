// The half of Node that concerns damaged logs: whom to ask, what others are told and answered.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "cluster/entries_codec.h"
#include "cluster/group_id.h"
#include "cluster/keeper.h"
#include "cluster/node.h"
#include "cluster/repairer.h"

namespace cairn::cluster {
namespace {

constexpr int64_t kDamageTimeoutNs = 5'000'000'000;
constexpr int64_t kLookPauseNs = 1'000'000'000;

}  // namespace

std::shared_ptr<Repairer> Node::MakeRepairer() {
  using RepairEvent = Repairer::Dependencies::Event;
  return std::make_shared<Repairer>(Repairer::Dependencies{
      .fs = dependencies_.fs,
      .clock = dependencies_.clock,
      .loop = &loop(),
      .host = host_.get(),
      .controller = controller_,
      .transport = transport_.get(),
      .self = id(),
      .sources = [this](GroupId group) { return SourcesOf(group); },
      .report = [this](const DamageReport& report) { ReportDamage(report); },
      .reopen = [this](GroupId group) { ReopenReplica(group); },
      .event =
          [this](RepairEvent event, GroupId group, const std::string& words) {
            const bool begun = event == RepairEvent::kBegun;
            const bool failed = event == RepairEvent::kFailed;
            Event(begun    ? EventLevel::kWarn
                  : failed ? EventLevel::kError
                           : EventLevel::kInfo,
                  begun    ? "damaged log, being repaired"
                  : failed ? "damaged log not repaired yet"
                           : "damaged log repaired",
                  {{"group", metadata()->metadata.GroupText(group)},
                   {failed ? "error" : "what", words}});
          }});
}

// The leader has all that is committed; the others have most of it.
std::vector<NodeId> Node::SourcesOf(GroupId group) const {
  const auto view = metadata();
  std::vector<NodeId> nodes = {LeaderOf(group)};
  if (group == kControllerGroup) {
    for (const auto& [node, info] : view->metadata.nodes) {
      if (info.is_member()) nodes.push_back(node);
    }
  } else if (const PartitionInfo* partition = view->metadata.FindPartition(group)) {
    nodes.insert(nodes.end(), partition->replicas.begin(), partition->replicas.end());
  }
  std::vector<NodeId> sources;
  for (const NodeId node : nodes) {
    const bool asked = std::find(sources.begin(), sources.end(), node) != sources.end();
    if (node.value() != 0 && node != id() && !asked) sources.push_back(node);
  }
  return sources;
}

void Node::RepairController(std::shared_ptr<log::Log> log) {
  controller_->SetDamagedLog(log);
  if (repairer_ == nullptr) repairer_ = MakeRepairer();
  LookAtDamaged(std::move(log));
}

void Node::LookAtDamaged(std::shared_ptr<log::Log> log) {
  loop().PostAfter(kLookPauseNs, [this, alive = alive_, log = std::move(log)]() mutable {
    if (!*alive || controller_->damaged_log() != log) return;
    repairer_->Look();
    LookAtDamaged(std::move(log));
  });
}

void Node::ReportDamage(const DamageReport& report) {
  if (member_) keeper_->TakeDamage(id(), report);
  const std::string payload = Encode(report);
  const auto view = metadata();
  for (const auto& [node, info] : view->metadata.nodes) {
    if (node == id() || !info.is_member()) continue;
    transport_->Call(node, static_cast<uint16_t>(PeerMethod::kDamage), payload, kDamageTimeoutNs,
                     [](const absl::StatusOr<std::string>&) {});  // the next one comes
  }
}

void Node::ReopenReplica(GroupId group) {
  host_->admin().Post([this, group] {
    if (stopping_) return;
    if (group == kControllerGroup) {
      controller_->SetDamagedLog(nullptr);
      if (const absl::Status started = StartMember(NodeId()); !started.ok()) {
        Event(EventLevel::kError, "repaired log of the controller not opened, to be tried again",
              {{"error", std::string(started.message())}});
        loop().PostAfter(kLookPauseNs, [this, alive = alive_, group] {
          if (*alive) ReopenReplica(group);
        });
      }
      return;
    }
    CloseReplica(group,
                 absl::UnavailableError("the log of the replica was repaired, it is opened again"));
  });
}

void Node::OnEntriesRequest(const std::string& payload, consensus::PeerResponder responder) {
  const auto request = DecodeEntriesRequest(payload);
  if (!request.ok()) return responder.Respond(request.status());
  std::shared_ptr<consensus::RaftReplica> replica;
  if (request->group == kControllerGroup) {
    replica = controller_->shared_replica();
  } else if (const auto hosted = host_->Find(request->group); hosted != nullptr) {
    replica = hosted->replica;
  }
  if (replica == nullptr) {
    return responder.Respond(
        absl::NotFoundError("no replica of this group here that could answer"));
  }
  const broker::ShardExecutors& shard = host_->executors(request->group);
  env::Executor* const reader = shard.reader != nullptr ? shard.reader : shard.disk;
  shard.loop->Post(
      [this, replica, reader, request = *request, responder = std::move(responder)]() mutable {
        std::string state;
        if (request.group == kControllerGroup && request.from < replica->log()->first_index()) {
          state = controller_->SnapshotState();
        }
        reader->Post([log = replica->log(), committed = replica->committed_here(), request,
                      state = std::move(state), responder = std::move(responder)]() mutable {
          auto response = AnswerEntries(*log, committed, request);
          if (!response.ok()) return responder.Respond(response.status());
          response->state = std::move(state);
          responder.Respond(Encode(*response));
        });
      });
}

}  // namespace cairn::cluster
