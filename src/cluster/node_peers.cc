// The half of Node that answers other nodes. Runs on the network's executor; nothing here blocks.
#include <utility>

#include "base/error_info.h"
#include "base/strings.h"
#include "cluster/group_id.h"
#include "cluster/group_report.h"
#include "cluster/keeper.h"
#include "cluster/node.h"
#include "cluster/peer_span.h"
#include "cluster/produce_codec.h"

namespace cairn::cluster {

// A node that the cluster has removed is not let in again.
absl::Status Node::ValidatePeer(const consensus::PeerIdentity& peer,
                                consensus::PeerPurpose purpose) {
  if (peer.node.value() == 0) return absl::OkStatus();
  const auto view = metadata();
  const NodeInfo* known = view->metadata.FindNode(peer.node);
  if (known == nullptr) {
    // Registered after what we have seen. A node that has just joined knows nobody, and has to
    // answer the leader of group 0 before it can learn of anybody.
    if (purpose == consensus::PeerPurpose::kPeer && peer.node != id()) {
      transport_->SetPeer(peer.node, peer.address);
    }
    return absl::OkStatus();
  }
  if (known->uuid != peer.node_uuid) {
    return absl::FailedPreconditionError(base::StrCat(
        "node ", peer.node.value(), " has the data directory ", known->uuid.ToString(), ", not ",
        peer.node_uuid.ToString(), "; a directory that was wiped joins as a new node"));
  }
  if (!known->is_member()) {
    return base::MakeError(absl::StatusCode::kFailedPrecondition,
                           base::StrCat("node ", peer.node.value(), " was removed"),
                           base::reason::kNodeRemoved,
                           {{"node_id", base::StrCat(peer.node.value())}});
  }
  return absl::OkStatus();
}

void Node::OnMessage(NodeId from, GroupId group, consensus::Message message) {
  if (!member_) return;
  if (const absl::Status sane = consensus::CheckMessage(message); !sane.ok()) {
    return Event(EventLevel::kError, "impossible message",
                 {{"from", base::StrCat(from.value())},
                  {"group", base::StrCat(group.value())},
                  {"error", std::string(sane.message())}});
  }
  if (group != kControllerGroup) return host_->Deliver(from, group, std::move(message));
  loop().Post([this, from, message = std::move(message)]() mutable {
    controller_->replica().Receive(from, std::move(message));
  });
}

void Node::OnRequest(const consensus::PeerIdentity& from, uint16_t method, std::string payload,
                     consensus::PeerResponder responder) {
  if (!member_) {
    return responder.Respond(absl::UnavailableError("this node is no member of a cluster yet"));
  }
  switch (static_cast<PeerMethod>(method)) {
    case PeerMethod::kJoin:
      return OnJoinRequest(payload, std::move(responder));
    case PeerMethod::kProduce:
      return OnProduceRequest(payload, std::move(responder));
    case PeerMethod::kCommand: {
      auto command = DecodeCommand(payload);
      if (!command.ok()) return responder.Respond(command.status());
      loop().Post(
          [this, command = *std::move(command), responder = std::move(responder)]() mutable {
            RunCommandHere(std::move(command),
                           [responder = std::move(responder)](absl::StatusOr<CommandResult> result,
                                                              Offset applied) mutable {
                             if (!result.ok()) return responder.Respond(result.status());
                             responder.Respond(Encode(CommandResponse{*result, applied}));
                           });
          });
      return;
    }
    case PeerMethod::kLeads: {
      const auto led = DecodeLedGroups(payload);
      if (!led.ok()) return responder.Respond(led.status());
      for (const LedGroup& one : *led) leaders_.Note(one.group, from.node, one.term);
      return responder.Respond("");
    }
    case PeerMethod::kMembers: {
      const auto group = DecodeGroup(payload);
      if (!group.ok()) return responder.Respond(group.status());
      const auto hosted = host_->Find(*group);
      if (hosted == nullptr || hosted->replica == nullptr) {
        return responder.Respond(absl::NotFoundError("no replica of this group here"));
      }
      // Whoever hears that it is no member removes what it promised: so a leader says it that a
      // majority has just confirmed.
      hosted->loop->Post([hosted, responder = std::move(responder)]() mutable {
        hosted->replica->ReadBarrier([hosted, responder = std::move(responder)](
                                         const absl::Status& leads) mutable {
          if (!leads.ok()) return responder.Respond(leads);
          const consensus::ReplicaStatus status = hosted->replica->Status();
          if (!status.configuration_committed) {
            return responder.Respond(absl::UnavailableError("the group is changing its members"));
          }
          responder.Respond(Encode(GroupMembers{.term = status.term,
                                                .committed = status.commit_index,
                                                .configuration = status.configuration}));
        });
      });
      return;
    }
    case PeerMethod::kReport: {
      auto report = DecodeGroupReport(payload);
      if (!report.ok()) return responder.Respond(report.status());
      loop().Post([keeper = keeper_, node = from.node, report = *std::move(report)]() mutable {
        keeper->TakeReport(node, std::move(report));
      });
      return responder.Respond("");
    }
    case PeerMethod::kEntries:
      if (from.node.value() == 0) {
        return responder.Respond(absl::PermissionDeniedError("entries are for members"));
      }
      return OnEntriesRequest(payload, std::move(responder));
    case PeerMethod::kDamage: {
      const auto report = DecodeDamageReport(payload);
      if (!report.ok()) return responder.Respond(report.status());
      loop().Post([keeper = keeper_, node = from.node, report = *report] {
        keeper->TakeDamage(node, report);
      });
      return responder.Respond("");
    }
    case PeerMethod::kFarewell:
      loop().Post([keeper = keeper_, node = from.node, responder = std::move(responder)]() mutable {
        keeper->TakeFarewell(node);
        responder.Respond("");
      });
      return;
    case PeerMethod::kExplain:
      return OnExplainRequest(std::move(responder));
    case PeerMethod::kTransfer:
      return OnTransferRequest(payload, std::move(responder));
    case PeerMethod::kInquiry:
      if (from.node.value() == 0) {
        return responder.Respond(absl::PermissionDeniedError("a node answers members alone"));
      }
      return OnInquiry(payload, std::move(responder));
  }
  responder.Respond(
      absl::UnimplementedError(base::StrCat("this node knows no method ", method, " of peers")));
}

void Node::OnJoinRequest(const std::string& payload, consensus::PeerResponder responder) {
  const auto request = DecodeJoinRequest(payload);
  if (!request.ok()) return responder.Respond(request.status());
  RegisterNode command;
  command.uuid = request->node_uuid;
  command.node = request->node;
  RunCommand(std::move(command), [this, responder = std::move(responder)](
                                     const absl::StatusOr<CommandResult>& result) mutable {
    if (!result.ok()) return responder.Respond(result.status());
    responder.Respond(Encode(JoinResponse{metadata()->metadata.cluster_id, result->node}));
  });
}

void Node::OnProduceRequest(const std::string& payload, consensus::PeerResponder responder) {
  auto produce = DecodeForwardedProduce(payload);
  if (!produce.ok()) return responder.Respond(produce.status());
  const auto hosted = host_->Find(produce->group);
  if (hosted == nullptr || hosted->partition == nullptr) {
    return responder.Respond(base::MakeError(absl::StatusCode::kUnavailable,
                                             "this node does not lead the partition",
                                             base::reason::kNotLeader));
  }
  PeerSpan span(dependencies_.tracer, *dependencies_.clock, telemetry::SpanKind::kServer,
                produce->batch.trace);
  produce->batch.trace = span.context();
  // Never forwarded again: whoever does not lead says so.
  hosted->partition->Produce(std::move(produce->batch), produce->expected_offset,
                             [responder = std::move(responder),
                              span](absl::StatusOr<broker::ProduceResult> result) mutable {
                               span.End(result.status());
                               if (!result.ok()) return responder.Respond(result.status());
                               responder.Respond(Encode(*result));
                             });
}

void Node::OnPeerUp(const consensus::PeerIdentity& peer) {
  Event(EventLevel::kInfo, "peer up",
        {{"node_id", base::StrCat(peer.node.value())},
         {"name", peer.name},
         {"address", peer.address}});
}

void Node::OnPeerDown(NodeId peer, const absl::Status& why) {
  Event(EventLevel::kWarn, "peer down",
        {{"node_id", base::StrCat(peer.value())}, {"error", std::string(why.message())}});
}

void Node::OnRejected(consensus::PeerRejection kind, const std::string& address,
                      const absl::Status& why) {
  Event(EventLevel::kWarn, "peer connection rejected",
        {{"kind", std::string(consensus::ToString(kind))},
         {"address", address},
         {"error", std::string(why.message())}});
}

}  // namespace cairn::cluster
