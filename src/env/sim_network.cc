#include "env/sim_network.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/host_port.h"
#include "env/sim_network_stream.h"

namespace cairn::env {
namespace {

// As the kernel's listen queue; what does not fit is dropped and tried again.
constexpr size_t kMaxBacklog = 4096;
// A lost connection request is sent again after this long, as Linux does.
constexpr int64_t kConnectRetryNs = 1'000'000'000;

}  // namespace

class SimNetwork::SimConnection final : public Connection {
 public:
  SimConnection(std::shared_ptr<Stream> stream, int side)
      : stream_(std::move(stream)), side_(side) {}
  ~SimConnection() override { SimConnection::Close(); }
  SimConnection(const SimConnection&) = delete;
  SimConnection& operator=(const SimConnection&) = delete;

  void Read(std::span<char> into, ReadCallback done) override {
    stream_->Read(side_, into, std::move(done));
  }
  using Connection::Write;
  void Write(std::vector<Slice> data, WriteCallback done) override {
    stream_->Write(side_, data, std::move(done));
  }
  void Close() override { stream_->Close(side_); }
  const std::string& peer_address() const override { return stream_->end(1 - side_).address; }
  std::optional<int> ReleaseDescriptor() override { return std::nullopt; }

 private:
  const std::shared_ptr<Stream> stream_;  // shared with the other end and the fabric's timers
  const int side_;
};

class SimNetwork::SimListener final : public Listener {
 public:
  SimListener(std::shared_ptr<Host> host, uint16_t port)
      : host_(std::move(host)), port_(port), address_(FormatHostPort(host_->name(), port)) {
    host_->listeners_[port_] = this;
  }
  ~SimListener() override { SimListener::Close(); }
  SimListener(const SimListener&) = delete;
  SimListener& operator=(const SimListener&) = delete;

  void Accept(AcceptCallback done) override {
    CAIRN_CHECK(!done_, "one Accept at a time");
    done_ = std::move(done);
    Finish();
  }

  void Close() override {
    if (closed_) return;
    closed_ = true;
    if (const auto at = host_->listeners_.find(port_);
        at != host_->listeners_.end() && at->second == this) {
      host_->listeners_.erase(at);
    }
    for (const auto& stream : std::exchange(backlog_, {})) stream->Close(1);
    Finish();
  }

  const std::string& local_address() const override { return address_; }

  // False when the backlog is full.
  bool Offer(std::shared_ptr<Stream> stream) {
    if (backlog_.size() >= kMaxBacklog) return false;
    backlog_.push_back(std::move(stream));
    Finish();
    return true;
  }

 private:
  void Finish() {
    if (!done_) return;
    if (closed_) {
      return Host::Post(host_, [done = std::exchange(done_, {}), address = address_]() mutable {
        done(absl::CancelledError(base::StrCat("accept on ", address, ": closed")));
      });
    }
    if (backlog_.empty()) return;
    auto connection = std::make_unique<SimConnection>(std::move(backlog_.front()), 1);
    backlog_.pop_front();
    Host::Post(host_,
               [done = std::exchange(done_, {}), connection = std::move(connection)]() mutable {
                 done(std::unique_ptr<Connection>(std::move(connection)));
               });
  }

  const std::shared_ptr<Host> host_;
  const uint16_t port_;
  const std::string address_;
  bool closed_ = false;
  AcceptCallback done_;
  std::deque<std::shared_ptr<Stream>> backlog_;
};

class SimNetwork::HostNetwork final : public Network {
 public:
  HostNetwork(SimNetwork& net, std::shared_ptr<Host> host) : net_(net), host_(std::move(host)) {}

  absl::StatusOr<std::unique_ptr<Listener>> Listen(const std::string& address) override {
    CAIRN_ASSIGN_OR_RETURN(const HostPort wanted, ParseHostPort(address));
    if (wanted.host != host_->name()) {
      return absl::InvalidArgumentError(
          base::StrCat("listen on ", address, ": not an address of ", host_->name()));
    }
    if (host_->dead()) return Gone("listen on", address, "the host is dead");
    const uint16_t port = wanted.port == 0 ? host_->FreePort() : wanted.port;
    if (host_->listeners_.contains(port)) {
      return absl::AlreadyExistsError(base::StrCat("listen on ", address, ": address in use"));
    }
    return std::make_unique<SimListener>(host_, port);
  }

  void Connect(const std::string& address, ConnectCallback done) override {
    net_.Connect(host_, address, std::move(done));
  }

  absl::StatusOr<std::unique_ptr<DatagramSocket>> BindDatagram(
      const std::string& address) override {
    CAIRN_ASSIGN_OR_RETURN(const HostPort wanted, ParseHostPort(address));
    if (wanted.host != host_->name()) {
      return absl::InvalidArgumentError(
          base::StrCat("bind to ", address, ": not an address of ", host_->name()));
    }
    if (host_->dead()) return Gone("bind to", address, "the host is dead");
    const uint16_t port = wanted.port == 0 ? host_->FreePort() : wanted.port;
    const std::string local = FormatHostPort(wanted.host, port);
    if (const auto at = net_.datagram_sockets_.find(local);
        at != net_.datagram_sockets_.end() && at->second.host == host_) {
      return absl::AlreadyExistsError(base::StrCat("bind to ", address, ": address in use"));
    }
    auto socket = std::make_unique<SimDatagramSocket>(
        local, SimDatagramSocket::Fabric{
                   [host = host_](Executor::Task task) { Host::Post(host, std::move(task)); },
                   [&net = net_, alive = std::weak_ptr<bool>(net_.alive_), host = host_, local](
                       const std::string& to, std::string_view bytes) {
                     if (!alive.expired()) net.SendDatagram(host, local, to, bytes);
                   },
                   [&net = net_, alive = std::weak_ptr<bool>(net_.alive_), host = host_, local] {
                     if (alive.expired()) return;
                     const auto at = net.datagram_sockets_.find(local);
                     if (at != net.datagram_sockets_.end() && at->second.host == host) {
                       net.datagram_sockets_.erase(at);
                     }
                   }});
    net_.datagram_sockets_[local] = {host_, socket.get()};
    return socket;
  }

 private:
  SimNetwork& net_;
  const std::shared_ptr<Host> host_;
};

// A connect under way.
struct SimNetwork::Dial {
  std::shared_ptr<Host> from;
  HostPort to;
  std::string address;
  int64_t deadline_ns;
  Network::ConnectCallback done;

  void Finish(absl::StatusOr<std::unique_ptr<Connection>> result) {
    Host::Post(from, [done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }
};

SimNetwork::SimNetwork(const Clock& clock, Executor& executor, SimRandom& random, Options options)
    : clock_(clock), executor_(executor), random_(random), options_(options) {
  CAIRN_CHECK(options.min_latency_ns >= 0 && options.max_latency_ns >= options.min_latency_ns &&
                  options.window_bytes > 0 && options.max_segment_bytes > 0,
              "a network that can carry something");
}
SimNetwork::SimNetwork(const Clock& clock, Executor& executor, SimRandom& random)
    : SimNetwork(clock, executor, random, Options()) {}
SimNetwork::~SimNetwork() = default;

std::unique_ptr<Network> SimNetwork::AddHost(const std::string& name, Executor& executor) {
  std::shared_ptr<Host>& host = hosts_[name];
  if (host && !host->dead()) Kill(name, Death::kReset);
  if (host) host->Die(Death::kReset);  // a machine that is up again answers for its old streams
  host = std::make_shared<Host>(name, executor);
  PumpAll();  // what is sent to its former self is reset now
  return std::make_unique<HostNetwork>(*this, host);
}

std::shared_ptr<SimNetwork::Host> SimNetwork::FindHost(const std::string& name) const {
  const auto at = hosts_.find(name);
  return at == hosts_.end() ? nullptr : at->second;
}

int64_t SimNetwork::Latency(const std::string& from, const std::string& to) {
  const auto spread = static_cast<uint64_t>(options_.max_latency_ns - options_.min_latency_ns);
  const auto drawn = static_cast<int64_t>(random_.Below(spread + 1));
  const auto extra = delays_.find({from, to});
  return options_.min_latency_ns + drawn + (extra == delays_.end() ? 0 : extra->second);
}

void SimNetwork::Connect(std::shared_ptr<Host> from, const std::string& address,
                         Network::ConnectCallback done) {
  auto dial = std::make_shared<Dial>();
  dial->from = std::move(from);
  dial->address = address;
  dial->deadline_ns = clock_.MonotonicNs() + options_.connect_timeout_ns;
  dial->done = std::move(done);
  absl::StatusOr<HostPort> to = ParseHostPort(address);
  if (to.ok() && to->port == 0) {
    to = absl::InvalidArgumentError(base::StrCat("connect to ", address, ": port 0"));
  }
  if (!to.ok()) return dial->Finish(to.status());
  dial->to = *to;
  After(Latency(dial->from->name(), to->host), [this, dial] { TryConnect(dial); });
}

void SimNetwork::TryConnect(std::shared_ptr<Dial> dial) {
  if (dial->from->dead()) return;
  const std::string& from = dial->from->name();
  const std::shared_ptr<Host> to = FindHost(dial->to.host);
  if (!to) return dial->Finish(Gone("connect to", dial->address, "no such host"));
  const auto try_again = [&] {
    if (clock_.MonotonicNs() >= dial->deadline_ns) {
      return dial->Finish(Gone("connect to", dial->address, "timed out"));
    }
    const int64_t left_ns = dial->deadline_ns - clock_.MonotonicNs();
    After(std::min(left_ns, kConnectRetryNs), [this, dial] { TryConnect(dial); });
  };
  if (IsCut(from, to->name()) || IsCut(to->name(), from) || to->silent()) return try_again();
  const int64_t back_ns = Latency(to->name(), from);
  const auto listener = to->listeners_.find(dial->to.port);
  if (to->dead() || listener == to->listeners_.end()) {
    return After(back_ns,
                 [dial] { dial->Finish(Gone("connect to", dial->address, "connection refused")); });
  }
  auto stream = std::make_shared<Stream>(
      *this, dial->from, FormatHostPort(from, dial->from->FreePort()), to, dial->address);
  if (!listener->second->Offer(stream)) return try_again();
  streams_[next_stream_++] = stream;
  auto connection = std::make_shared<std::unique_ptr<Connection>>(
      std::make_unique<SimConnection>(std::move(stream), 0));
  After(back_ns, [dial, connection] { dial->Finish(std::move(*connection)); });
}

void SimNetwork::SendDatagram(const std::shared_ptr<Host>& from, const std::string& from_address,
                              const std::string& to, std::string_view bytes) {
  const absl::StatusOr<HostPort> target = ParseHostPort(to);
  if (!target.ok() || from->dead() || from->paused()) return;
  const auto by_chance = [this](uint32_t chance) {
    return chance > 0 && (random_.Next() >> 32) < chance;
  };
  if (by_chance(options_.datagram_loss_chance)) return;
  const int copies = by_chance(options_.datagram_double_chance) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    After(Latency(from->name(), target->host),
          [this, from, from_address, to, bytes = std::string(bytes), host = target->host] {
            const auto at = datagram_sockets_.find(to);
            if (at == datagram_sockets_.end() || at->second.host->dead()) return;
            if (IsCut(from->name(), host)) return;
            at->second.socket->Deliver(from_address, bytes);
          });
  }
}

template <typename Visit>
void SimNetwork::ForEachStream(Visit visit) {
  for (auto at = streams_.begin(); at != streams_.end();) {
    if (const std::shared_ptr<Stream> stream = at->second.lock()) {
      visit(*stream);
      ++at;
    } else {
      at = streams_.erase(at);
    }
  }
}

void SimNetwork::PumpAll() {
  ForEachStream([](Stream& stream) { stream.Pump(); });
}

void SimNetwork::Cut(const std::string& from, const std::string& to) { cuts_.insert({from, to}); }
void SimNetwork::CutBoth(const std::string& a, const std::string& b) {
  Cut(a, b);
  Cut(b, a);
}
void SimNetwork::Heal(const std::string& from, const std::string& to) {
  if (cuts_.erase({from, to}) > 0) PumpAll();
}
void SimNetwork::HealBoth(const std::string& a, const std::string& b) {
  Heal(a, b);
  Heal(b, a);
}
void SimNetwork::HealAll() {
  cuts_.clear();
  PumpAll();
}

void SimNetwork::SetDelay(const std::string& from, const std::string& to, int64_t extra_ns) {
  if (extra_ns == 0) {
    delays_.erase({from, to});
  } else {
    delays_[{from, to}] = extra_ns;
  }
}

int SimNetwork::ResetConnections(const std::string& a, const std::string& b) {
  int count = 0;
  ForEachStream([&](Stream& stream) {
    if (!stream.open() || !stream.Between(a, b)) return;
    ++count;
    stream.Break(0, "reset");
    stream.Break(1, "reset");
  });
  return count;
}

void SimNetwork::Kill(const std::string& name, Death death) {
  const std::shared_ptr<Host> host = FindHost(name);
  if (!host || host->dead()) return;
  host->Die(death);
  ForEachStream([&](Stream& stream) {
    for (int side = 0; side < 2; ++side) {
      if (stream.end(side).host == host) stream.ResetFrom(side, "the host is dead");
    }
  });
}

void SimNetwork::Pause(const std::string& name) {
  if (const auto host = FindHost(name)) host->SetPaused(host, true);
}
void SimNetwork::Resume(const std::string& name) {
  if (const auto host = FindHost(name)) host->SetPaused(host, false);
  PumpAll();
}

size_t SimNetwork::open_streams() const {
  size_t count = 0;
  for (const auto& [id, weak] : streams_) {
    if (const auto stream = weak.lock()) count += stream->open() ? 1 : 0;
  }
  return count;
}

}  // namespace cairn::env
