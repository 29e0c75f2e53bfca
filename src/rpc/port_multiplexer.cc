#include "rpc/port_multiplexer.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "rpc/client_hello.h"
#include "rpc/first_bytes.h"

namespace cairn::rpc {
namespace {

// Enough to decide, and to take the whole HTTP/2 preface (24 bytes) in one read. What is read here
// beyond the decision travels to the handler. A ClientHello gets more, step by step.
constexpr size_t kFirstReadBytes = 64;
constexpr size_t kHelloReadBytes = 2048;

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
            .clear_text = count_.clear_text,
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
    std::shared_ptr<std::string> buffer = std::make_shared<std::string>(kFirstReadBytes, '\0');
    size_t filled = 0;

    std::string_view bytes() const { return {buffer->data(), filled}; }
  };

  struct Count {
    std::atomic<uint64_t> accepted{0}, grpc{0}, http{0}, peer{0}, unknown_protocol{0},
        clear_text{0}, timed_out{0}, disconnected{0}, accept_failures{0}, pending{0};
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
    if (pending.filled == pending.buffer->size()) {
      pending.buffer->resize(std::clamp(2 * pending.filled, kHelloReadBytes, kMaxClientHelloBytes));
    }
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
    const Decision decision = Decide(pending.bytes());
    if (decision.protocol == Protocol::kUndecided) return ReadMore(id, pending);
    HandOver(decision, Take(found));
  }

  // What is to become of a connection, and why not when nothing is.
  struct Decision {
    Protocol protocol = Protocol::kUnknown;
    std::string why_not = "protocol not served";
    bool clear_text = false;
  };

  Decision Decide(std::string_view bytes) const {
    const Protocol protocol = DetectProtocol(bytes);
    if (protocol == Protocol::kTls) return options_.tls ? DecideByHello(bytes) : Decision();
    const bool secret = protocol == Protocol::kGrpc || protocol == Protocol::kHttp;
    if (options_.tls && secret) return {.why_not = "TLS is required", .clear_text = true};
    return {.protocol = protocol};
  }

  static Decision DecideByHello(std::string_view bytes) {
    const auto hello = PeekClientHello(bytes);
    if (!hello.ok()) return {.why_not = std::string(hello.status().message())};
    if (!hello->complete) return {.protocol = Protocol::kUndecided};
    // Browsers offer both, and are to get HTTP/1.1.
    if (hello->Offers("http/1.1")) return {.protocol = Protocol::kHttp};
    if (hello->Offers("h2")) return {.protocol = Protocol::kGrpc};
    return {.why_not = "the TLS hello offers neither h2 nor http/1.1"};
  }

  void HandOver(const Decision& decision, Pending pending) {
    const Protocol protocol = decision.protocol;
    Handler* handler = nullptr;
    std::atomic<uint64_t>* counter =
        decision.clear_text ? &count_.clear_text : &count_.unknown_protocol;
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
      observer_.OnConnectionRejected(pending.connection->peer_address(), decision.why_not);
      pending.connection->Close();
      return;
    }
    (*handler)(std::move(pending.connection), std::string(pending.bytes()));
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
