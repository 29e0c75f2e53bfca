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
#include "rpc/connection_census.h"
#include "rpc/first_bytes.h"

namespace cairn::rpc {
namespace {

// Enough to decide without TLS, and to take the whole HTTP/2 preface (24 bytes) in one read. What
// is read here beyond the decision travels to the handler. A ClientHello says how much more it
// needs.
constexpr size_t kFirstReadBytes = 64;

constexpr std::string_view kAlpnHttp1 = "http/1.1";  // RFC 7301 section 6
constexpr std::string_view kAlpnHttp2 = "h2";        // RFC 9113 section 3.1

}  // namespace

class PortMultiplexer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(env::Executor& executor, std::unique_ptr<env::Listener> listener, Handlers handlers,
       RpcObserver& observer, MultiplexerOptions options)
      : executor_(executor),
        listener_(std::move(listener)),
        handlers_(std::move(handlers)),
        observer_(observer),
        options_(options),
        census_(ConnectionCensus::New(options.limits)) {}

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

  void SetLimits(ConnectionLimits limits) { census_->SetLimits(limits); }
  MultiplexerCounters counters() const {
    return {.accepted = count_.accepted,
            .grpc = count_.grpc,
            .http = count_.http,
            .peer = count_.peer,
            .unknown_protocol = count_.unknown_protocol,
            .malformed_hello = count_.malformed_hello,
            .plaintext_refused = count_.plaintext_refused,
            .refused_at_limit = count_.refused_at_limit,
            .timed_out = count_.timed_out,
            .disconnected = count_.disconnected,
            .accept_failures = count_.accept_failures,
            .pending = count_.pending,
            .connections = census_->total()};
  }

  env::Executor& executor() { return executor_; }
  bool started = false;  // touched by the owner only
  bool stopped_by_owner = false;

 private:
  using Id = uint64_t;

  struct Pending {
    std::string_view bytes() const { return std::string_view(*buffer).substr(0, filled); }

    std::unique_ptr<env::Connection> connection;
    ConnectionCensus::Place place;
    env::Executor::TimerId timer = 0;
    // Shared with the read on its way: a closed connection may still complete it. Grows between
    // reads.
    std::shared_ptr<std::string> buffer = std::make_shared<std::string>(kFirstReadBytes, '\0');
    size_t filled = 0;
    size_t needed = 1;  // no decision with fewer bytes; at most the buffer's size
  };
  using PendingMap = std::unordered_map<Id, Pending>;

  struct Count {
    std::atomic<uint64_t> accepted{0}, grpc{0}, http{0}, peer{0}, unknown_protocol{0},
        malformed_hello{0}, plaintext_refused{0}, refused_at_limit{0}, timed_out{0},
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
    Admit(*std::move(accepted));
    AcceptNext();
  }

  void Admit(std::unique_ptr<env::Connection> connection) {
    Pending admitted;
    const auto verdict = census_->Enter(connection->peer_address(), admitted.place);
    admitted.connection = std::move(connection);
    if (verdict != ConnectionCensus::Verdict::kAdmitted) {
      return RefuseAtLimit(std::move(admitted), verdict);
    }
    const Id id = next_id_++;
    admitted.timer = executor_.PostAfter(options_.first_bytes_timeout_ns,
                                         [self = shared_from_this(), id] { self->OnTimeout(id); });
    Pending& pending = pending_.emplace(id, std::move(admitted)).first->second;
    count_.pending = pending_.size();
    ReadMore(id, pending);
  }

  void ReadMore(Id id, Pending& pending) {
    const std::span<char> room = std::span<char>(*pending.buffer).subspan(pending.filled);
    pending.connection->Read(room, [self = shared_from_this(), id, buffer = pending.buffer](
                                       absl::StatusOr<size_t> read) { self->OnRead(id, read); });
  }

  void OnTimeout(Id id) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    Refuse(Take(found), count_.timed_out, "no first bytes in time");
  }

  void OnRead(Id id, const absl::StatusOr<size_t>& read) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;  // timed out or stopped
    if (!read.ok() || *read == 0) {
      Take(found).connection->Close();
      ++count_.disconnected;
      return;
    }
    Pending& pending = found->second;
    pending.filled += *read;
    if (pending.filled < pending.needed) return ReadMore(id, pending);
    Decide(found);
  }

  void Decide(PendingMap::iterator found) {
    Pending& pending = found->second;
    const Protocol protocol = DetectProtocol(pending.bytes());
    if (protocol == Protocol::kUndecided) return ReadMore(found->first, pending);
    if (options_.tls) {
      if (protocol == Protocol::kTls) return DecideByHello(found);
      if (protocol == Protocol::kGrpc || protocol == Protocol::kHttp) {
        return Refuse(Take(found), count_.plaintext_refused, "TLS is required");
      }
    }
    HandOver(protocol, Take(found));
  }

  void DecideByHello(PendingMap::iterator found) {
    Pending& pending = found->second;
    const ClientHello hello = PeekClientHello(pending.bytes());
    switch (hello.state) {
      case ClientHello::State::kIncomplete:
        pending.needed = hello.needed_bytes;
        pending.buffer->resize(std::max(pending.buffer->size(), pending.needed));
        return ReadMore(found->first, pending);
      case ClientHello::State::kMalformed:
        return Refuse(Take(found), count_.malformed_hello,
                      base::StrCat("malformed TLS hello: ", hello.why));
      case ClientHello::State::kComplete:
        break;
    }
    if (hello.Offers(kAlpnHttp1)) return HandOver(Protocol::kHttp, Take(found));
    if (hello.Offers(kAlpnHttp2)) return HandOver(Protocol::kGrpc, Take(found));
    Refuse(Take(found), count_.unknown_protocol, "no protocol of ours in the TLS hello");
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
    if (handler == nullptr || !*handler) {
      return Refuse(std::move(pending), *counter, "protocol not served");
    }
    if (protocol == Protocol::kPeer) {
      census_->SettleAsPeer(pending.place);
    } else {
      const auto verdict = census_->SettleAsClient(pending.place);
      if (verdict != ConnectionCensus::Verdict::kAdmitted) {
        return RefuseAtLimit(std::move(pending), verdict);
      }
    }
    ++*counter;
    std::string first_bytes = std::move(*pending.buffer);
    first_bytes.resize(pending.filled);
    (*handler)(ConnectionCensus::Hold(std::move(pending.connection), std::move(pending.place)),
               std::move(first_bytes));
  }

  void RefuseAtLimit(Pending pending, ConnectionCensus::Verdict verdict) {
    Refuse(std::move(pending), count_.refused_at_limit,
           verdict == ConnectionCensus::Verdict::kTooMany
               ? "too many connections"
               : "too many connections from this address");
  }

  void Refuse(Pending pending, std::atomic<uint64_t>& counter, std::string_view why) {
    ++counter;
    observer_.OnConnectionRejected(pending.connection->peer_address(), why);
    pending.connection->Close();
  }

  Pending Take(PendingMap::iterator found) {
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
  const std::shared_ptr<ConnectionCensus> census_;  // shared with the connections handed over

  bool stopped_ = false;
  env::Executor::TimerId backoff_timer_ = 0;
  Id next_id_ = 1;
  PendingMap pending_;
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

void PortMultiplexer::SetLimits(ConnectionLimits limits) { impl_->SetLimits(limits); }
MultiplexerCounters PortMultiplexer::counters() const { return impl_->counters(); }

}  // namespace cairn::rpc
