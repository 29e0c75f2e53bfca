#include "consensus/peer_outgoing.h"

#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::consensus {

void PeerOutgoing::Start() {
  context_->dials.fetch_add(1, std::memory_order_relaxed);
  handshake_timer_ = context_->deps.loop->PostAfter(
      context_->options.handshake_timeout_ns, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || self->closed_ || self->up_) return;
        const absl::Status why = absl::UnavailableError(
            base::StrCat("no handshake with ", self->target_.address, " in time"));
        // A peer that cannot be reached is no rejection; one that took the connection and said
        // nothing is.
        if (self->channel_) {
          self->context_->Reject(PeerRejection::kHandshakeTimeout, self->target_.address, why);
        }
        self->Fail(why, false);
      });
  context_->deps.dialer->Dial(
      target_.address,
      [weak = weak_from_this()](absl::StatusOr<std::unique_ptr<env::Connection>> connection) {
        if (const auto self = weak.lock()) self->OnDialled(std::move(connection));
      });
}

void PeerOutgoing::OnDialled(absl::StatusOr<std::unique_ptr<env::Connection>> connection) {
  if (closed_) return;  // too late; the connection ends here
  if (!connection.ok()) return Fail(connection.status(), false);
  channel_ = std::make_shared<FrameChannel>(
      context_->ChannelOptions(), *std::move(connection),
      FrameChannel::Events{.frame = [weak = weak_from_this()](Frame frame) -> absl::Status {
                             const auto self = weak.lock();
                             if (!self || self->closed_) return absl::CancelledError("closed");
                             return self->OnFrame(std::move(frame));
                           },
                           .closed =
                               [weak = weak_from_this()](const absl::Status& why) {
                                 if (const auto self = weak.lock()) self->OnClosed(why);
                               },
                           .drained =
                               [weak = weak_from_this()] {
                                 const auto self = weak.lock();
                                 if (self && self->up_ && !self->closed_ && self->events_.drained) {
                                   self->events_.drained();
                                 }
                               }});
  channel_->Append([&](env::SliceBuffer& to) {
    EncodeHello({.purpose = target_.purpose, .from = context_->self(), .target = target_.node}, to);
    return absl::OkStatus();
  });
  channel_->Start({});
}

absl::Status PeerOutgoing::OnFrame(Frame frame) {
  if (up_) {
    if (frame.type == FrameType::kResponse) return OnResponse(std::move(frame));
  } else {
    if (frame.type == FrameType::kWelcome) return OnWelcome(frame);
    if (frame.type == FrameType::kRefusal) return OnRefusal(frame);
  }
  return absl::FailedPreconditionError(
      base::StrCat("unexpected frame of type ", static_cast<int>(frame.type)));
}

absl::Status PeerOutgoing::OnWelcome(const Frame& frame) {
  CAIRN_ASSIGN_OR_RETURN(const Welcome welcome, DecodeWelcome(frame));
  const PeerIdentity& self = context_->self();
  const PeerIdentity& peer = welcome.from;
  const auto reject = [&](PeerRejection kind, std::string_view why) {
    rejection_ = kind;
    return absl::FailedPreconditionError(base::StrCat(target_.address, " ", why));
  };
  if (welcome.version < kPeerVersionMin || welcome.version > kPeerVersionMax) {
    return reject(PeerRejection::kWrongVersion,
                  base::StrCat("chose version ", welcome.version, " of the peer protocol"));
  }
  if (!self.cluster.is_nil() && !peer.cluster.is_nil() && self.cluster != peer.cluster) {
    return reject(PeerRejection::kWrongCluster,
                  base::StrCat("belongs to cluster ", peer.cluster.ToString()));
  }
  if (target_.node.value() != 0 && target_.node != peer.node) {
    return reject(PeerRejection::kWrongTarget,
                  base::StrCat("is node ", peer.node.value(), ", not ", target_.node.value()));
  }
  if (const absl::Status valid = context_->deps.handler->ValidatePeer(peer, target_.purpose);
      !valid.ok()) {
    return reject(PeerRejection::kNotAllowed, base::StdView(valid.message()));
  }
  up_ = true;
  context_->deps.loop->Cancel(handshake_timer_);
  channel_->set_max_frame_bytes(kMaxFrameBytes);
  context_->connects.fetch_add(1, std::memory_order_relaxed);
  events_.up(peer);
  return absl::OkStatus();
}

absl::Status PeerOutgoing::OnRefusal(const Frame& frame) {
  CAIRN_ASSIGN_OR_RETURN(const Refusal refusal, DecodeRefusal(frame));
  rejection_ = PeerRejection::kRefusedByPeer;
  return absl::FailedPreconditionError(
      base::StrCat(target_.address, " refused us: ", refusal.text));
}

absl::Status PeerOutgoing::OnResponse(Frame frame) {
  CAIRN_ASSIGN_OR_RETURN(Response response, DecodeResponse(std::move(frame)));
  if (response.id == 0 || response.id >= next_call_) {
    return absl::FailedPreconditionError("an answer to a question nobody asked");
  }
  auto call = calls_.extract(response.id);
  if (call.empty()) return absl::OkStatus();  // it timed out before
  context_->deps.loop->Cancel(call.mapped().timer);
  call.mapped().done(std::move(response.result));
  return absl::OkStatus();
}

void PeerOutgoing::OnClosed(const absl::Status& why) {
  if (closed_) return;
  const std::optional<PeerRejection> kind = rejection_ ? rejection_ : PeerContext::KindOf(why);
  if (kind) context_->Reject(*kind, target_.address, why);
  Fail(why, kind.has_value());
}

void PeerOutgoing::Fail(const absl::Status& why, bool refused) {
  const auto self = shared_from_this();  // the owner may let go
  Close(absl::UnavailableError(
      base::StrCat("connection to ", target_.address, ": ", base::StdView(why.message()))));
  events_.down(why, refused);
}

void PeerOutgoing::Call(uint16_t method, std::shared_ptr<const std::string> payload,
                        uint32_t payload_crc, int64_t timeout_ns, PeerTransport::CallDone done) {
  if (!up_ || closed_) {
    return done(absl::UnavailableError(base::StrCat("no connection to ", target_.address)));
  }
  const auto overloaded = [&](std::string_view why) {
    done(base::MakeError(absl::StatusCode::kResourceExhausted, why, base::reason::kOverloaded));
  };
  if (calls_.size() >= context_->options.max_calls) {
    return overloaded("too many calls wait for the peer");
  }
  const uint64_t id = next_call_;
  const bool queued = channel_->Append([&](env::SliceBuffer& to) {
    EncodeRequest(id, method, payload, payload_crc, to);
    return absl::OkStatus();
  });
  if (!queued) return overloaded("the queue to the peer is full");
  ++next_call_;
  PendingCall& call = calls_[id];
  call.done = std::move(done);
  call.timer = context_->deps.loop->PostAfter(timeout_ns, [weak = weak_from_this(), id] {
    const auto self = weak.lock();
    if (!self) return;
    auto late = self->calls_.extract(id);
    if (late.empty()) return;
    late.mapped().done(absl::DeadlineExceededError(
        base::StrCat("no answer from ", self->target_.address, " in time")));
  });
}

void PeerOutgoing::Close(const absl::Status& why) {
  if (closed_) return;
  closed_ = true;
  up_ = false;
  context_->deps.loop->Cancel(handshake_timer_);
  if (channel_) channel_->Close();
  for (auto& [id, call] : std::exchange(calls_, {})) {
    context_->deps.loop->Cancel(call.timer);
    call.done(why);
  }
}

}  // namespace cairn::consensus
