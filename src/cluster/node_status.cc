// The half of Node that operators talk to: how the cluster is, and who should lead. Every node
// answers, by asking the one that knows.
#include <algorithm>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/group_id.h"
#include "cluster/keeper.h"
#include "cluster/node.h"

namespace cairn::cluster {
namespace {

constexpr int64_t kExplainTimeoutNs = 10'000'000'000;
// A node gathers its metrics in milliseconds; one that is stopped is known as silent after five
// seconds anyway.
constexpr int64_t kInquiryTimeoutNs = 5'000'000'000;
constexpr int64_t kTransferTimeoutNs = 10'000'000'000;
// A leader that hands over is looked at this often, for about three seconds.
constexpr int64_t kTransferPollNs = 5'000'000;
constexpr int kTransferPolls = 600;

absl::Status NotAReplica(NodeId node, const std::string& partition,
                         const std::vector<NodeId>& replicas) {
  std::string names;
  for (const NodeId replica : replicas) {
    names += base::StrCat(names.empty() ? "" : ", ", replica.value());
  }
  return base::MakeError(absl::StatusCode::kFailedPrecondition,
                         base::StrCat("node ", node.value(), " holds no replica of ", partition,
                                      "; these do: ", names),
                         base::reason::kNotAReplica, {{"replicas", names}});
}

// Of a call to a node that may be gone, or going: what the caller asked is there, and has to hear
// that the other one is not.
absl::Status AsUnreachable(NodeId node, absl::Status unanswered) {
  const bool silent = absl::IsUnavailable(unanswered) || absl::IsDeadlineExceeded(unanswered);
  if (!silent) return unanswered;
  return base::MakeError(absl::StatusCode::kUnavailable,
                         base::StrCat("node ", node.value(),
                                      " does not answer: ", base::StdView(unanswered.message())),
                         base::reason::kNodeUnreachable, {{"node_id", base::StrCat(node.value())}});
}

// Looks until the replica follows another node.
void AwaitHandOver(std::shared_ptr<const broker::HostedReplica> hosted, NodeId self, int polls,
                   Node::LeaderDone done) {
  const NodeId leader = hosted->replica->leader();
  if (leader.value() != 0 && leader != self) return done(leader);
  if (polls == 0) {
    return done(
        absl::AbortedError("the other replica did not take over in time; this node goes on"));
  }
  env::Executor* loop = hosted->loop;
  loop->PostAfter(kTransferPollNs,
                  [hosted = std::move(hosted), self, polls, done = std::move(done)]() mutable {
                    AwaitHandOver(std::move(hosted), self, polls - 1, std::move(done));
                  });
}

}  // namespace

absl::Status Node::NoController() const {
  if (member_) {
    const auto damages = controller_->replica().log()->damages();
    if (!damages.empty()) return log::DamagedWithoutLeader(damages.front());
  }
  return base::MakeError(absl::StatusCode::kUnavailable,
                         "the cluster has no controller now; try again", base::reason::kNotLeader);
}

// On the controller's loop.
absl::StatusOr<ClusterReport> Node::ReportHere() const {
  if (!controller_->replica().is_leader()) return NoController();
  const Observed& observed = keeper_->observed();
  const int64_t now_ms = dependencies_.clock->MonotonicNs() / 1'000'000;
  ClusterReport report;
  report.controller = id();
  for (const auto& [node, seen] : observed.nodes) {
    if (node == id() || seen.reachable) report.reachable.push_back(node);
  }
  for (const auto& [group, view] : observed.groups) {
    if (report.groups.size() == kMaxGroupsInClusterReport) break;
    if (view.leader.value() == 0 || now_ms - view.reported_ms > kReportFreshMs) continue;
    report.groups.emplace(group, view);
  }
  report.waits = keeper_->waits();
  return report;
}

void Node::Report(ReportDone done) {
  if (absl::Status status = CheckRunning(); !status.ok()) return done(std::move(status));
  if (!member_) return done(NoController());
  loop().Post([this, done = std::move(done)]() mutable {
    if (controller_->replica().is_leader()) {
      return keeper_->WhenLooked([this, done = std::move(done)]() mutable { done(ReportHere()); });
    }
    const NodeId leader = controller_->replica().leader();
    if (leader.value() == 0) return done(NoController());
    transport_->Call(leader, static_cast<uint16_t>(PeerMethod::kExplain), "", kExplainTimeoutNs,
                     [done = std::move(done)](absl::StatusOr<std::string> answer) mutable {
                       if (!answer.ok()) return done(AsNoController(answer.status()));
                       done(DecodeClusterReport(*answer));
                     });
  });
}

void Node::OnExplainRequest(consensus::PeerResponder responder) {
  loop().Post([this, responder = std::move(responder)]() mutable {
    keeper_->WhenLooked([this, responder = std::move(responder)]() mutable {
      const auto report = ReportHere();
      if (!report.ok()) return responder.Respond(report.status());
      responder.Respond(Encode(*report));
    });
  });
}

absl::Status Node::CheckMemberNode(NodeId node) const {
  const auto view = metadata();
  const NodeInfo* found = view->metadata.FindNode(node);
  if (found != nullptr && found->is_member()) return absl::OkStatus();
  std::string known;
  for (const auto& [id, info] : view->metadata.nodes) {
    if (info.is_member()) known += base::StrCat(known.empty() ? "" : ", ", id.value());
  }
  return base::MakeError(
      absl::StatusCode::kNotFound,
      base::StrCat("the cluster has no node ", node.value(), "; there are: ", known),
      base::reason::kUnknownNode, {{"node_id", base::StrCat(node.value())}});
}

void Node::Ask(NodeId node, Inquiry inquiry, InquiryDone done) {
  if (absl::Status status = CheckRunning(); !status.ok()) return done(std::move(status));
  if (absl::Status status = CheckInquiry(inquiry); !status.ok()) return done(std::move(status));
  if (node.value() == 0 || node == id()) return AnswerInquiry(std::move(inquiry), std::move(done));
  if (absl::Status status = CheckMemberNode(node); !status.ok()) return done(std::move(status));
  transport_->Call(node, static_cast<uint16_t>(PeerMethod::kInquiry), Encode(inquiry),
                   kInquiryTimeoutNs,
                   [node, done = std::move(done)](absl::StatusOr<std::string> answer) mutable {
                     if (!answer.ok()) return done(AsUnreachable(node, answer.status()));
                     done(std::move(answer));
                   });
}

void Node::AnswerInquiry(Inquiry inquiry, InquiryDone done) {
  if (!dependencies_.answer_inquiry) {
    return done(absl::UnimplementedError("this node says nothing of itself"));
  }
  dependencies_.answer_inquiry(std::move(inquiry), [self = id(), done = std::move(done)](
                                                       absl::StatusOr<std::string> answer) mutable {
    if (answer.ok() && answer->size() > kMaxInquiryAnswerBytes) {
      return done(absl::ResourceExhaustedError(base::StrCat(
          "what node ", self.value(), " says of itself takes ", answer->size(),
          " bytes, more than ", kMaxInquiryAnswerBytes,
          "; ask for fewer metrics by name, or lower --metrics-max-partitions there")));
    }
    done(std::move(answer));
  });
}

void Node::OnInquiry(const std::string& payload, consensus::PeerResponder responder) {
  auto inquiry = DecodeInquiry(payload);
  if (!inquiry.ok()) return responder.Respond(inquiry.status());
  AnswerInquiry(*std::move(inquiry),
                [responder = std::move(responder)](absl::StatusOr<std::string> answer) mutable {
                  responder.Respond(std::move(answer));
                });
}

void Node::TransferLeadership(std::string topic, PartitionId partition, NodeId to,
                              LeaderDone done) {
  if (auto found = FindPartition(topic, partition); !found.ok()) return done(found.status());
  const auto view = metadata();
  const Topic* info = view->metadata.FindTopic(topic);
  if (info == nullptr) return done(NoController());  // deleted between the two
  const auto index = static_cast<size_t>(partition.value());
  const GroupId group = info->group(index);
  std::vector<NodeId> replicas = info->partitions[index].replicas;
  if (to.value() == 0) to = OtherReplica(group, replicas);
  if (to.value() == 0) {
    return done(absl::FailedPreconditionError(
        base::StrCat(view->metadata.GroupText(group), " has no other replica that answers")));
  }
  const auto at = std::find(replicas.begin(), replicas.end(), to);
  if (at == replicas.end()) return done(NotAReplica(to, view->metadata.GroupText(group), replicas));
  if (at == replicas.begin()) return TransferGroup(group, to, std::move(done));
  // The first one is who should lead: otherwise leadership would go back in a moment.
  std::rotate(replicas.begin(), at, at + 1);
  SetReplicas command;
  command.topic = info->number;
  command.partition = partition;
  command.replicas = std::move(replicas);
  RunCommand(std::move(command), [this, group, to, done = std::move(done)](
                                     const absl::StatusOr<CommandResult>& result) mutable {
    if (!result.ok()) return done(result.status());
    TransferGroup(group, to, std::move(done));
  });
}

// The next of the replicas that answers and does not lead; 0: there is none.
NodeId Node::OtherReplica(GroupId group, const std::vector<NodeId>& replicas) const {
  const NodeId leader = LeaderOf(group);
  const int64_t now_ms = dependencies_.clock->MonotonicNs() / 1'000'000;
  for (const NodeId node : replicas) {
    if (node == leader) continue;
    if (node == id()) return node;
    const auto heard = transport_->LastHeardMs(node);
    if (heard && now_ms - *heard <= kSilentMs) return node;
  }
  return NodeId();
}

void Node::TransferGroup(GroupId group, NodeId to, LeaderDone done) {
  const NodeId leader = LeaderOf(group);
  if (leader == to) return done(to);
  if (leader == id()) return TransferGroupHere(group, to, std::move(done));
  if (leader.value() == 0) {
    return done(base::MakeError(
        absl::StatusCode::kUnavailable,
        base::StrCat(metadata()->metadata.GroupText(group), " has no leader now; try again"),
        base::reason::kNotLeader));
  }
  transport_->Call(leader, static_cast<uint16_t>(PeerMethod::kTransfer),
                   Encode(TransferRequest{group, to}), kTransferTimeoutNs,
                   [to, done = std::move(done)](const absl::StatusOr<std::string>& answer) mutable {
                     if (!answer.ok()) return done(answer.status());
                     done(to);
                   });
}

void Node::TransferGroupHere(GroupId group, NodeId to, LeaderDone done) {
  auto hosted = host_->Find(group);
  if (hosted == nullptr || hosted->replica == nullptr) {
    return done(base::MakeError(absl::StatusCode::kUnavailable, "no replica of this group here",
                                base::reason::kNotLeader));
  }
  env::Executor* loop = hosted->loop;
  loop->Post([self = id(), hosted = std::move(hosted), to, done = std::move(done)]() mutable {
    if (absl::Status begun = hosted->replica->Transfer(to); !begun.ok()) {
      return done(std::move(begun));
    }
    AwaitHandOver(std::move(hosted), self, kTransferPolls, std::move(done));
  });
}

void Node::OnTransferRequest(const std::string& payload, consensus::PeerResponder responder) {
  const auto request = DecodeTransferRequest(payload);
  if (!request.ok()) return responder.Respond(request.status());
  TransferGroupHere(
      request->group, request->to,
      [responder = std::move(responder)](const absl::StatusOr<NodeId>& leader) mutable {
        if (!leader.ok()) return responder.Respond(leader.status());
        responder.Respond("");
      });
}

}  // namespace cairn::cluster
