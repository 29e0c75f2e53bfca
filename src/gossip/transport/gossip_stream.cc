#include "gossip/transport/gossip_stream.h"

#include <utility>

#include "gossip/wire/limits.h"

namespace cairn::gossip {

// ---- Inbound ----

GossipNode::Inbound::Inbound(GossipNode& node, uint64_t id,
                             std::unique_ptr<env::Connection> connection)
    : node_(node),
      id_(id),
      connection_(std::move(connection)),
      reader_(std::make_shared<StreamReader>(node.serf_->envelope(), kMaxStreamBytes)) {}

GossipNode::Inbound::~Inbound() {
  node_.buffered_bytes_ -= counted_bytes_;
  if (deadline_ != 0) node_.executor_.Cancel(deadline_);
  connection_->Close();
}

void GossipNode::Inbound::Start() {
  deadline_ = node_.executor_.PostAfter(node_.serf_->swim().config().push_pull_timeout_ns,
                                        [this, alive = std::weak_ptr<bool>(alive_)] {
                                          if (alive.expired()) return;
                                          deadline_ = 0;
                                          End(true);
                                        });
  Read();
}

void GossipNode::Inbound::Read() {
  connection_->Read(reader_->Space(), [this, reader = reader_, alive = std::weak_ptr<bool>(alive_)](
                                          absl::StatusOr<size_t> size) {
    if (!alive.expired()) OnRead(std::move(size));
  });
}

void GossipNode::Inbound::OnRead(absl::StatusOr<size_t> size) {
  if (ended_) return;
  if (!size.ok() || *size == 0) return End(true);
  reader_->Advance(*size);
  node_.buffered_bytes_ += *size;
  counted_bytes_ += *size;
  if (node_.buffered_bytes_ > kMaxBufferedBytes) return End(true);
  auto message = reader_->Next();
  if (!message.ok()) return End(true);
  if (!*message) return Read();
  std::optional<std::string> answer = node_.serf_->OnStream(node_.clock_.MonotonicNs(), **message);
  node_.Pump();
  if (!answer) return End(false);
  connection_->Write(*std::move(answer),
                     [this, alive = std::weak_ptr<bool>(alive_)](absl::Status status) {
                       if (!alive.expired()) End(!status.ok());
                     });
}

void GossipNode::Inbound::End(bool failed) {
  if (std::exchange(ended_, true)) return;
  connection_->Close();
  node_.OnStreamEnd(id_, failed);
}

// ---- Outbound ----

GossipNode::Outbound::Outbound(GossipNode& node, uint64_t id, StartExchange exchange)
    : node_(node),
      id_(id),
      exchange_(std::move(exchange)),
      reader_(std::make_shared<StreamReader>(node.serf_->envelope(), kMaxStreamBytes)) {}

GossipNode::Outbound::~Outbound() {
  if (connection_) connection_->Close();
}

void GossipNode::Outbound::Start() {
  const std::weak_ptr<Outbound> weak = weak_from_this();
  deadline_ = node_.executor_.PostAfter(exchange_.timeout_ns, [weak] {
    if (const auto self = weak.lock()) self->End(absl::UnavailableError("timed out"));
  });
  node_.network_.Connect(
      exchange_.to.ToString(), [weak](absl::StatusOr<std::unique_ptr<env::Connection>> connection) {
        const auto self = weak.lock();
        if (!self || self->ended_) return;
        if (!connection.ok()) return self->End(connection.status());
        self->connection_ = *std::move(connection);
        self->connection_->Write(std::move(self->exchange_.request), [weak](absl::Status status) {
          const auto writer = weak.lock();
          if (!writer || writer->ended_) return;
          if (!status.ok()) return writer->End(std::move(status));
          writer->Read();
        });
      });
}

void GossipNode::Outbound::Read() {
  connection_->Read(
      reader_->Space(), [reader = reader_, weak = weak_from_this()](absl::StatusOr<size_t> size) {
        const auto self = weak.lock();
        if (!self || self->ended_) return;
        if (!size.ok()) return self->End(size.status());
        if (*size == 0)
          return self->End(absl::UnavailableError("closed before the answer was whole"));
        self->reader_->Advance(*size);
        auto message = self->reader_->Next();
        if (!message.ok()) return self->End(message.status());
        if (!*message) return self->Read();
        self->End(**std::move(message));
      });
}

void GossipNode::Outbound::End(absl::StatusOr<StreamMessage> answer) {
  if (std::exchange(ended_, true)) return;
  node_.executor_.Cancel(deadline_);
  if (connection_) connection_->Close();
  GossipNode& node = node_;
  const uint64_t exchange = exchange_.id;
  node.OnStreamEnd(id_, !answer.ok());
  node.serf_->OnExchange(node.clock_.MonotonicNs(), exchange, std::move(answer));
  node.Pump();
}

}  // namespace cairn::gossip
