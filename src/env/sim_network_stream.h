// The two halves of SimNetwork that carry bytes: a host with what waits for it, and a stream
// between two. Internal to SimNetwork; belongs to the thread that runs the executors.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/strings.h"
#include "env/sim_network.h"

namespace cairn::env {

// The first port that is given to a listener on port 0, and to clients.
inline constexpr uint16_t kFirstFreePort = 32768;

inline absl::Status Gone(std::string_view operation, std::string_view address,
                         std::string_view why) {
  return absl::UnavailableError(base::StrCat(operation, " ", address, ": ", why));
}

template <typename Task>
void SimNetwork::After(int64_t delay_ns, Task task) {
  executor_.PostAfter(delay_ns, [alive = std::weak_ptr<bool>(alive_), task]() mutable {
    if (!alive.expired()) task();
  });
}

// One host: its listeners, and the callbacks that wait while it is paused.
class SimNetwork::Host {
 public:
  Host(std::string name, Executor& executor) : name_(std::move(name)), executor_(executor) {}

  const std::string& name() const { return name_; }

  // Runs `task` on the host, unless it is dead by then.
  static void Post(const std::shared_ptr<Host>& host, Executor::Task task) {
    if (host->dead()) return;
    if (host->paused_) return host->held_.push_back(std::move(task));
    host->executor_.Post([host, task = std::move(task)]() mutable {
      if (host->dead()) return;
      if (host->paused_) return host->held_.push_back(std::move(task));
      task();
    });
  }

  void Die(Death death) {
    death_ = death;
    listeners_.clear();
    held_.clear();
  }
  void SetPaused(const std::shared_ptr<Host>& self, bool paused) {
    paused_ = paused;
    if (paused) return;
    for (auto& task : std::exchange(held_, {})) Post(self, std::move(task));
  }

  bool dead() const { return death_.has_value(); }
  bool silent() const { return death_ == Death::kSilent; }
  bool paused() const { return paused_; }

  uint16_t FreePort() {
    while (listeners_.contains(next_port_)) ++next_port_;
    return next_port_++;
  }

  std::map<uint16_t, SimListener*> listeners_;

 private:
  const std::string name_;
  Executor& executor_;
  std::optional<Death> death_;
  bool paused_ = false;
  std::deque<Executor::Task> held_;
  uint16_t next_port_ = kFirstFreePort;
};

// Both directions of one connection. Alive while an end's owner or the fabric's timers hold it.
class SimNetwork::Stream : public std::enable_shared_from_this<Stream> {
 public:
  struct End {
    std::shared_ptr<Host> host;
    std::string address;
    bool closed = false;                 // by its owner
    std::optional<absl::Status> broken;  // by the network
    // A pending Read and a pending Write.
    std::span<char> into;
    Connection::ReadCallback read_done;
    std::string writing;
    size_t written = 0;  // of it
    Connection::WriteCallback write_done;
    // What has arrived.
    std::deque<std::string> arrived;
    size_t arrived_at = 0;  // within the first
    size_t arrived_bytes = 0;
    bool finished = false;  // the other end has closed its side, behind what has arrived
    // What this end has sent and the other has not received.
    struct Segment {
      std::string bytes;
      bool fin = false;
      int64_t due_ns = 0;
    };
    std::deque<Segment> sent;
    size_t sent_bytes = 0;
    int64_t last_due_ns = 0;
    bool stalled = false;  // the first segment is due and cannot get through
    uint64_t stall = 0;    // counts them, so that an old timer knows itself
    bool reset_under_way = false;
  };

  Stream(SimNetwork& net, std::shared_ptr<Host> client, std::string client_address,
         std::shared_ptr<Host> server, std::string server_address)
      : net_(net), alive_(net.alive_) {
    ends_[0].host = std::move(client);
    ends_[0].address = std::move(client_address);
    ends_[1].host = std::move(server);
    ends_[1].address = std::move(server_address);
  }

  End& end(int side) { return ends_[side]; }

  void Read(int side, std::span<char> into, Connection::ReadCallback done) {
    End& end = ends_[side];
    CAIRN_CHECK(!end.read_done, "one Read at a time");
    CAIRN_CHECK(!into.empty(), "0 bytes read mean that the peer has closed");
    end.into = into;
    end.read_done = std::move(done);
    FinishRead(side);
  }

  void Write(int side, const std::vector<Slice>& data, Connection::WriteCallback done) {
    End& end = ends_[side];
    CAIRN_CHECK(!end.write_done, "one Write at a time");
    end.write_done = std::move(done);
    end.writing.clear();
    end.written = 0;
    for (const Slice& slice : data) end.writing += slice.view();
    FinishWrite(side);
  }

  void Close(int side) {
    End& end = ends_[side];
    if (end.closed) return;
    end.closed = true;
    Cancel(end,
           absl::CancelledError(base::StrCat("stream with ", ends_[1 - side].address, ": closed")));
    if (end.broken || alive_.expired()) return;
    end.arrived.clear();
    end.arrived_bytes = 0;
    Send(side, {}, true);
  }

  // The end of `side` learns that the stream is gone.
  void Break(int side, std::string_view why) {
    End& end = ends_[side];
    if (end.broken) return;
    end.broken = Gone("stream with", ends_[1 - side].address, why);
    end.sent.clear();
    end.sent_bytes = 0;
    end.arrived.clear();
    end.arrived_bytes = 0;
    Cancel(end, *end.broken);
  }

  // The process or the kernel at `side` has dropped the stream; the other end hears of it if it
  // can.
  void ResetFrom(int side, std::string_view why) {
    Break(side, why);
    SendReset(1 - side);
  }

  // Whatever can move, moves.
  void Pump() {
    for (int side = 0; side < 2; ++side) Deliver(side);
  }

  bool open() const {
    for (const End& end : ends_) {
      if (!end.closed && !end.broken && !end.host->dead()) return true;
    }
    return false;
  }
  bool Between(const std::string& a, const std::string& b) const {
    const std::string& x = ends_[0].host->name();
    const std::string& y = ends_[1].host->name();
    return (x == a && y == b) || (x == b && y == a);
  }

 private:
  void Cancel(End& end, const absl::Status& status) {
    if (end.read_done) {
      Host::Post(end.host,
                 [done = std::exchange(end.read_done, {}), status]() mutable { done(status); });
    }
    if (end.write_done) {
      Host::Post(end.host,
                 [done = std::exchange(end.write_done, {}), status]() mutable { done(status); });
    }
    end.writing.clear();
  }

  absl::Status Failure(int side) const {
    const End& end = ends_[side];
    if (end.closed) {
      return absl::CancelledError(
          base::StrCat("stream with ", ends_[1 - side].address, ": closed"));
    }
    return end.broken.value_or(absl::OkStatus());
  }

  void FinishRead(int side) {
    End& end = ends_[side];
    if (!end.read_done) return;
    absl::StatusOr<size_t> result = size_t{0};
    if (const absl::Status failure = Failure(side); !failure.ok()) {
      result = failure;
    } else if (end.arrived_bytes > 0) {
      // Never beyond one segment: short reads are what finds a reader's faults.
      std::string& first = end.arrived.front();
      const size_t size = std::min(end.into.size(), first.size() - end.arrived_at);
      std::memcpy(end.into.data(), first.data() + end.arrived_at, size);
      end.arrived_at += size;
      end.arrived_bytes -= size;
      if (end.arrived_at == first.size()) {
        end.arrived.pop_front();
        end.arrived_at = 0;
      }
      result = size;
    } else if (!end.finished) {
      return;
    }
    Host::Post(end.host, [done = std::exchange(end.read_done, {}), result]() mutable {
      done(std::move(result));
    });
    FinishWrite(1 - side);  // the window may have opened
  }

  void FinishWrite(int side) {
    End& end = ends_[side];
    if (!end.write_done) return;
    absl::Status result = Failure(side);
    if (result.ok()) {
      const size_t outstanding = end.sent_bytes + ends_[1 - side].arrived_bytes;
      const size_t window = net_.options_.window_bytes;
      size_t take =
          std::min(end.writing.size() - end.written, window - std::min(window, outstanding));
      while (take > 0) {
        size_t size = std::min(take, net_.options_.max_segment_bytes);
        if (size > 1 && net_.random_.Below(4) == 0) size = 1 + net_.random_.Below(size - 1);
        Send(side, end.writing.substr(end.written, size), false);
        end.written += size;
        take -= size;
      }
      if (end.written < end.writing.size()) return;
      end.writing.clear();
    }
    Host::Post(end.host,
               [done = std::exchange(end.write_done, {}), result]() mutable { done(result); });
  }

  const std::string& NameOf(int side) const { return ends_[side].host->name(); }

  void Send(int side, std::string bytes, bool fin) {
    End& end = ends_[side];
    const int64_t now_ns = net_.clock_.MonotonicNs();
    int64_t due_ns = now_ns + net_.Latency(NameOf(side), NameOf(1 - side));
    if (net_.options_.bytes_per_second > 0) {
      const auto transfer_ns =
          static_cast<int64_t>(static_cast<double>(bytes.size()) * 1e9 /
                               static_cast<double>(net_.options_.bytes_per_second));
      due_ns = std::max(due_ns, end.last_due_ns + transfer_ns);
    }
    due_ns = std::max(due_ns, end.last_due_ns);
    end.last_due_ns = due_ns;
    end.sent_bytes += bytes.size();
    end.sent.push_back({std::move(bytes), fin, due_ns});
    net_.After(due_ns - now_ns, [self = shared_from_this(), side] { self->Deliver(side); });
  }

  // Moves what `side` has sent and is due to the other end.
  void Deliver(int side) {
    End& from = ends_[side];
    End& to = ends_[1 - side];
    const bool cut = net_.IsCut(NameOf(side), NameOf(1 - side)) || to.host->silent();
    const bool deaf = cut || net_.IsCut(NameOf(1 - side), NameOf(side));
    if (from.broken) return;
    if (from.host->silent()) {
      from.sent.clear();
      return;
    }
    bool moved = false;
    while (!from.sent.empty() && from.sent.front().due_ns <= net_.clock_.MonotonicNs()) {
      if (from.host->paused() && !from.closed) break;
      if (deaf) Stall(side);
      if (cut) break;
      if (to.closed || to.broken || to.host->dead()) {
        const bool data = !from.sent.front().fin;
        from.sent.clear();
        from.sent_bytes = 0;
        if (data) SendReset(side);
        break;
      }
      End::Segment segment = std::move(from.sent.front());
      from.sent.pop_front();
      from.sent_bytes -= segment.bytes.size();
      moved = true;
      if (segment.fin) {
        to.finished = true;
      } else if (net_.options_.reset_chance > 0 &&
                 (net_.random_.Next() >> 32) < net_.options_.reset_chance) {
        ResetFrom(1 - side, "reset by chance");
        break;
      } else {
        net_.delivered_bytes_ += segment.bytes.size();
        to.arrived_bytes += segment.bytes.size();
        to.arrived.push_back(std::move(segment.bytes));
      }
    }
    if (!deaf) from.stalled = false;
    if (moved) {
      FinishRead(1 - side);
      FinishWrite(side);
    }
  }

  // The bytes of `side` are not acknowledged: it gives up after a while.
  void Stall(int side) {
    End& end = ends_[side];
    if (end.stalled) return;
    end.stalled = true;
    const uint64_t stall = ++end.stall;
    net_.After(net_.options_.break_timeout_ns, [self = shared_from_this(), side, stall] {
      End& stalled = self->ends_[side];
      if (!stalled.stalled || stalled.stall != stall) return;
      self->Break(side, "timed out");
      self->SendReset(1 - side);
    });
  }

  // A reset travels to `side`; a cut swallows it.
  void SendReset(int side) {
    End& end = ends_[side];
    if (end.broken || end.closed || end.reset_under_way) return;
    if (net_.IsCut(NameOf(1 - side), NameOf(side)) || ends_[1 - side].host->silent()) return;
    end.reset_under_way = true;
    net_.After(net_.Latency(NameOf(1 - side), NameOf(side)), [self = shared_from_this(), side] {
      self->ends_[side].reset_under_way = false;
      if (self->net_.IsCut(self->NameOf(1 - side), self->NameOf(side))) return;
      self->Break(side, "reset by the peer");
    });
  }

  SimNetwork& net_;
  const std::weak_ptr<bool> alive_;
  End ends_[2];
};

}  // namespace cairn::env
