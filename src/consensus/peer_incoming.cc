#include "consensus/peer_incoming.h"

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::consensus {

void PeerIncoming::Start(std::unique_ptr<env::Connection> connection, std::string_view received) {
  handshake_timer_ = context_->deps.loop->PostAfter(
      context_->options.handshake_timeout_ns, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || self->closed_ || self->up_) return;
        if (!self->refused_) {
          self->context_->Reject(PeerRejection::kHandshakeTimeout, self->channel_->peer_address(),
                                 absl::UnavailableError("no handshake in time"));
        }
        self->Close();
        self->owner_.OnIncomingClosed(self);
      });
  channel_ = std::make_shared<FrameChannel>(
      context_->ChannelOptions(), std::move(connection),
      FrameChannel::Events{.frame = [weak = weak_from_this()](Frame frame) -> absl::Status {
                             const auto self = weak.lock();
                             if (!self || self->closed_) return absl::CancelledError("closed");
                             return self->OnFrame(std::move(frame));
                           },
                           .frames_end =
                               [weak = weak_from_this()] {
                                 const auto self = weak.lock();
                                 if (!self || self->closed_) return;
                                 self->context_->deps.handler->OnMessagesEnd();
                               },
                           .closed =
                               [weak = weak_from_this()](const absl::Status& why) {
                                 if (const auto self = weak.lock()) self->OnClosed(why);
                               },
                           .drained = {}});
  channel_->Start(received);
}

void PeerIncoming::Close() {
  if (closed_) return;
  closed_ = true;
  up_ = false;
  context_->deps.loop->Cancel(handshake_timer_);
  channel_->Close();
}

void PeerIncoming::OnClosed(const absl::Status& why) {
  if (closed_) return;
  if (const auto kind = PeerContext::KindOf(why); kind && !refused_) {
    context_->Reject(*kind, channel_->peer_address(), why);
  }
  Close();
  owner_.OnIncomingClosed(shared_from_this());
}

absl::Status PeerIncoming::OnFrame(Frame frame) {
  if (!up_) {
    if (frame.type == FrameType::kHello && !refused_) return OnHello(frame);
  } else if (frame.type == FrameType::kRequest) {
    return OnRequest(std::move(frame));
  } else if (IsRaftMessage(frame.type) && purpose_ == PeerPurpose::kPeer) {
    const GroupId group = frame.group;
    CAIRN_ASSIGN_OR_RETURN(Message message, DecodeMessage(std::move(frame)));
    context_->messages_received.fetch_add(1, std::memory_order_relaxed);
    context_->deps.handler->OnMessage(peer_.node, group, std::move(message));
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      base::StrCat("unexpected frame of type ", static_cast<int>(frame.type)));
}

absl::Status PeerIncoming::OnHello(const Frame& frame) {
  CAIRN_ASSIGN_OR_RETURN(Hello hello, DecodeHello(frame));
  const PeerIdentity& self = context_->self();
  const PeerIdentity& peer = hello.from;
  const auto refuse = [&](PeerRejection kind, RefusalReason reason, const std::string& why) {
    Refuse(kind, reason, why);
    return absl::OkStatus();
  };
  if (hello.version_min > kPeerVersionMax || hello.version_max < kPeerVersionMin) {
    return refuse(PeerRejection::kWrongVersion, RefusalReason::kWrongVersion,
                  base::StrCat("no common version: we speak ", kPeerVersionMin, " to ",
                               kPeerVersionMax, " of the peer protocol"));
  }
  if (!self.cluster.is_nil() && !peer.cluster.is_nil() && self.cluster != peer.cluster) {
    return refuse(PeerRejection::kWrongCluster, RefusalReason::kWrongCluster,
                  base::StrCat("this node belongs to cluster ", self.cluster.ToString(),
                               ", its peer to cluster ", peer.cluster.ToString()));
  }
  // A node that lost its disk answers at its former address, and must not get what was meant for
  // its former self.
  if (hello.target.value() != 0 && hello.target != self.node) {
    return refuse(PeerRejection::kWrongTarget, RefusalReason::kWrongTarget,
                  base::StrCat("this is node ", self.node.value(), ", not ", hello.target.value()));
  }
  if (!self.node_uuid.is_nil() && peer.node_uuid == self.node_uuid) {
    return refuse(PeerRejection::kWrongTarget, RefusalReason::kWrongTarget,
                  "this node is the caller itself");
  }
  if (hello.purpose == PeerPurpose::kPeer &&
      (peer.node.value() == 0 || peer.cluster.is_nil() || hello.target.value() == 0)) {
    return refuse(PeerRejection::kNotAllowed, RefusalReason::kNotAllowed,
                  "only a registered node may be a peer, and of a node it names");
  }
  if (const absl::Status valid = context_->deps.handler->ValidatePeer(peer, hello.purpose);
      !valid.ok()) {
    return refuse(PeerRejection::kNotAllowed, RefusalReason::kNotAllowed,
                  std::string(base::StdView(valid.message())));
  }
  peer_ = std::move(hello.from);
  purpose_ = hello.purpose;
  up_ = true;
  context_->deps.loop->Cancel(handshake_timer_);
  context_->accepts.fetch_add(1, std::memory_order_relaxed);
  channel_->set_max_frame_bytes(kMaxFrameBytes);
  channel_->Append([&](env::SliceBuffer& to) {
    EncodeWelcome({.version = std::min(hello.version_max, kPeerVersionMax), .from = self}, to);
    return absl::OkStatus();
  });
  owner_.OnIncomingUp(shared_from_this());
  return absl::OkStatus();
}

void PeerIncoming::Refuse(PeerRejection kind, RefusalReason reason, const std::string& why) {
  context_->Reject(kind, channel_->peer_address(), absl::FailedPreconditionError(why));
  refused_ = true;
  channel_->Append([&](env::SliceBuffer& to) {
    EncodeRefusal({reason, why}, to);
    return absl::OkStatus();
  });
  channel_->CloseWhenSent();
}

absl::Status PeerIncoming::OnRequest(Frame frame) {
  CAIRN_ASSIGN_OR_RETURN(Request request, DecodeRequest(std::move(frame)));
  const uint64_t id = request.id;
  const size_t size = request.payload.size();
  const std::shared_ptr<Requests> requests = requests_;
  if (const size_t waiting = requests->count.load();
      waiting >= context_->options.max_calls ||
      (waiting > 0 && requests->bytes.load() + size > context_->options.max_call_bytes)) {
    const bool told = channel_->Append([&](env::SliceBuffer& to) {
      EncodeErrorResponse(id,
                          base::MakeError(absl::StatusCode::kResourceExhausted,
                                          "too many requests of this peer wait for their answers",
                                          base::reason::kOverloaded),
                          to);
      return absl::OkStatus();
    });
    if (told) return absl::OkStatus();
    return absl::ResourceExhaustedError("the peer asks and does not read the answers");
  }
  requests->count.fetch_add(1);
  requests->bytes.fetch_add(size);
  PeerResponder responder([weak = std::weak_ptr<FrameChannel>(channel_), requests, id,
                           size](absl::StatusOr<std::string> result) {
    requests->count.fetch_sub(1);
    requests->bytes.fetch_sub(size);
    const auto channel = weak.lock();
    if (!channel) return;
    if (result.ok() && result->size() > kMaxPayloadBytes) {
      result = absl::InternalError("the answer is over the limit of one frame");
    }
    if (result.ok()) {
      const auto payload = std::make_shared<const std::string>(*std::move(result));
      const uint32_t crc = base::Crc32c(*payload);
      const bool queued = channel->Append([&](env::SliceBuffer& to) {
        EncodeResponse(id, payload, crc, to);
        return absl::OkStatus();
      });
      if (queued) return;
      result = base::MakeError(absl::StatusCode::kResourceExhausted,
                               "the queue to the peer is full", base::reason::kOverloaded);
    }
    // Small, and no more of them than requests were let in.
    channel->Append(
        [&](env::SliceBuffer& to) {
          EncodeErrorResponse(id, result.status(), to);
          return absl::OkStatus();
        },
        FrameChannel::Limit::kIgnore);
  });
  context_->deps.handler->OnRequest(peer_, request.method, std::move(request.payload),
                                    std::move(responder));
  return absl::OkStatus();
}

}  // namespace cairn::consensus
