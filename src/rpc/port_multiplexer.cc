#include "rpc/port_multiplexer.h"

#include <array>
#include <atomic>
#include <future>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "rpc/first_bytes.h"

namespace cairn::rpc {
namespace {

// Enough to decide, and to take the whole HTTP/2 preface (24 bytes) in one read. What is read here
// beyond the decision travels to the handler.
constexpr size_t kFirstReadBytes = 64;

}  // namespace

class PortMultiplexer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(env::Executor& executor, std::unique_ptr<env::Listener> listener, Handlers handlers,
       RpcObserver& observer, MultiplexerOptions options)
      : executor_(executor),
        listener_(std::move(listener)),
        handlers_(std::move(handlers)),
        observer_(observer),
        options_(options) {}

  void AcceptNext() {
    if (stopped_) return;
    if (pending_.size() >= options_.max_pending_connections) return RestThenAccept();
    listener_->Accept(
        [self = shared_from_this()](auto accepted) { self->OnAccept(std::move(accepted)); });
  }

  void StopOnLoop() {
    stopped_ = true;
    executor_.Cancel(backoff_timer_);
    for (auto& [id, pending] : pending_) {
      executor_.Cancel(pending.timer);
      pending.connection->Close();
    }
    pending_.clear();
    count_.pending = 0;
    listener_->Close();
    listener_.reset();
  }

  MultiplexerCounters counters() const {
    return {.accepted = count_.accepted,
            .grpc = count_.grpc,
            .http = count_.http,
            .peer = count_.peer,
            .unknown_protocol = count_.unknown_protocol,
            .timed_out = count_.timed_out,
            .disconnected = count_.disconnected,
            .accept_failures = count_.accept_failures,
            .pending = count_.pending};
  }

  env::Executor& executor() { return executor_; }
  bool started = false;  // touched by the owner only
  bool stopped_by_owner = false;

 private:
  using Id = uint64_t;

  struct Pending {
    std::unique_ptr<env::Connection> connection;
    env::Executor::TimerId timer = 0;
    // Shared with the read on its way: a closed connection may still complete it.
    std::shared_ptr<std::array<char, kFirstReadBytes>> buffer =
        std::make_shared<std::array<char, kFirstReadBytes>>();
    size_t filled = 0;
  };

  struct Count {
    std::atomic<uint64_t> accepted{0}, grpc{0}, http{0}, peer{0}, unknown_protocol{0}, timed_out{0},
        disconnected{0}, accept_failures{0}, pending{0};
  };

  void RestThenAccept() {
    backoff_timer_ = executor_.PostAfter(options_.accept_backoff_ns,
                                         [self = shared_from_this()] { self->AcceptNext(); });
  }

  void OnAccept(absl::StatusOr<std::unique_ptr<env::Connection>> accepted) {
    if (stopped_) return;
    if (!accepted.ok()) {
      // Out of descriptors, or a connection that was reset in the queue. Retrying at once could
      // spin.
      ++count_.accept_failures;
      observer_.OnConnectionRejected("", base::StdView(accepted.status().message()));
      return RestThenAccept();
    }
    ++count_.accepted;
    const Id id = next_id_++;
    Pending& pending = pending_[id];
    pending.connection = *std::move(accepted);
    pending.timer = executor_.PostAfter(options_.first_bytes_timeout_ns,
                                        [self = shared_from_this(), id] { self->OnTimeout(id); });
    count_.pending = pending_.size();
    ReadMore(id, pending);
    AcceptNext();
  }

  void ReadMore(Id id, Pending& pending) {
    const std::span<char> room = std::span(*pending.buffer).subspan(pending.filled);
    pending.connection->Read(room, [self = shared_from_this(), id, buffer = pending.buffer](
                                       absl::StatusOr<size_t> read) { self->OnRead(id, read); });
  }

  void OnTimeout(Id id) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    Pending pending = Take(found);
    ++count_.timed_out;
    observer_.OnConnectionRejected(pending.connection->peer_address(), "no first bytes in time");
    pending.connection->Close();
  }

  void OnRead(Id id, const absl::StatusOr<size_t>& read) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;  // timed out or stopped
    if (!read.ok() || *read == 0) {
      ++count_.disconnected;
      Take(found).connection->Close();
      return;
    }
    Pending& pending = found->second;
    pending.filled += *read;
    const Protocol protocol = DetectProtocol({pending.buffer->data(), pending.filled});
    if (protocol == Protocol::kUndecided) return ReadMore(id, pending);
    HandOver(protocol, Take(found));
  }

  void HandOver(Protocol protocol, Pending pending) {
    Handler* handler = nullptr;
    std::atomic<uint64_t>* counter = &count_.unknown_protocol;
    if (protocol == Protocol::kGrpc) {
      handler = &handlers_.grpc;
      counter = &count_.grpc;
    } else if (protocol == Protocol::kHttp) {
      handler = &handlers_.http;
      counter = &count_.http;
    } else if (protocol == Protocol::kPeer) {
      handler = &handlers_.peer;
      counter = &count_.peer;
    }
    ++*counter;
    if (handler == nullptr || !*handler) {
      observer_.OnConnectionRejected(pending.connection->peer_address(), "protocol not served");
      pending.connection->Close();
      return;
    }
    (*handler)(std::move(pending.connection), std::string(pending.buffer->data(), pending.filled));
  }

  Pending Take(std::unordered_map<Id, Pending>::iterator found) {
    Pending pending = std::move(found->second);
    pending_.erase(found);
    count_.pending = pending_.size();
    executor_.Cancel(pending.timer);
    return pending;
  }

  env::Executor& executor_;
  std::unique_ptr<env::Listener> listener_;
  Handlers handlers_;
  RpcObserver& observer_;
  const MultiplexerOptions options_;

  bool stopped_ = false;
  env::Executor::TimerId backoff_timer_ = 0;
  Id next_id_ = 1;
  std::unordered_map<Id, Pending> pending_;
  Count count_;
};

PortMultiplexer::PortMultiplexer(env::Executor& executor, std::unique_ptr<env::Listener> listener,
                                 Handlers handlers, RpcObserver& observer,
                                 MultiplexerOptions options)
    : impl_(std::make_shared<Impl>(executor, std::move(listener), std::move(handlers), observer,
                                   options)) {}

PortMultiplexer::~PortMultiplexer() {
  CAIRN_CHECK(!impl_->started || impl_->stopped_by_owner,
              "the loop must not call into freed handlers");
}

void PortMultiplexer::Start() {
  impl_->started = true;
  impl_->executor().Post([impl = impl_] { impl->AcceptNext(); });
}

void PortMultiplexer::Stop() {
  if (!impl_->started || impl_->stopped_by_owner) return;
  impl_->stopped_by_owner = true;
  std::promise<void> stopped;
  impl_->executor().Post([&] {
    impl_->StopOnLoop();
    stopped.set_value();
  });
  stopped.get_future().wait();
}

MultiplexerCounters PortMultiplexer::counters() const { return impl_->counters(); }

}  // namespace cairn::rpc
