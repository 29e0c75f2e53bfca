// A network of many hosts in one process, over simulated time, with the faults of a real one.
//
// One SimNetwork is the fabric; AddHost gives each host its env::Network. Streams are TCP as its
// users see it: FIFO, never corrupted, flow-controlled, and broken only as a whole. What a cut
// swallows is held, as TCP retransmits it: it arrives after the heal, or the stream breaks at its
// sender after `break_timeout_ns`. Datagrams are UDP: lost, doubled and overtaken, and gone when a
// cut swallows them.
//
// Everything happens on the thread that runs the executors; the same seed and the same calls give
// the same trace.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "env/clock.h"
#include "env/executor.h"
#include "env/network.h"
#include "env/sim_datagram.h"
#include "env/sim_random.h"

namespace cairn::env {

class SimNetwork {
 public:
  struct Options {
    // Of every segment and every handshake packet, drawn uniformly.
    int64_t min_latency_ns = 100'000;
    int64_t max_latency_ns = 500'000;
    // Of one direction of one stream; 0: unlimited.
    uint64_t bytes_per_second = 0;
    // Written and not yet read bytes of one direction: the two sockets' buffers.
    size_t window_bytes = 256 << 10;
    // Writes travel in segments of up to this many bytes, cut at random places.
    size_t max_segment_bytes = 64 << 10;
    int64_t connect_timeout_ns = 10'000'000'000;
    // A stream whose bytes or acknowledgements do not get through breaks after this long.
    int64_t break_timeout_ns = 15'000'000'000;
    // Chance, in 1 of 2^32, that a segment finds its stream reset. See SetResetChance.
    uint32_t reset_chance = 0;
    // Chances, in 1 of 2^32, that a datagram is lost, and that it arrives twice.
    uint32_t datagram_loss_chance = 0;
    uint32_t datagram_double_chance = 0;
  };

  // Host names are what stands before the colon in an address.
  enum class Death {
    kReset,   // the process: its peers' streams are reset, connects are refused
    kSilent,  // the machine: nothing answers any more
  };

  // `clock` is the one that `executor` runs by: the fabric's own events are there. All outlive it.
  SimNetwork(const Clock& clock, Executor& executor, SimRandom& random, Options options);
  SimNetwork(const Clock& clock, Executor& executor, SimRandom& random);
  // Connections and listeners of its hosts are gone by then.
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // The network as `name` sees it; its callbacks run on `executor`. Called again for the same name
  // (after Kill), it is the machine started again: a new network, and the old one is dead.
  std::unique_ptr<Network> AddHost(const std::string& name, Executor& executor);

  // ---- faults; hosts need not exist yet ----

  // Nothing gets from `from` to `to`. Idempotent.
  void Cut(const std::string& from, const std::string& to);
  void CutBoth(const std::string& a, const std::string& b);
  void Heal(const std::string& from, const std::string& to);
  void HealBoth(const std::string& a, const std::string& b);
  void HealAll();
  // Segments from `from` to `to` take this much longer from now on; 0 ends it.
  void SetDelay(const std::string& from, const std::string& to, int64_t extra_ns);
  // Resets every stream between the two, now; how many there were.
  int ResetConnections(const std::string& a, const std::string& b);
  void SetResetChance(uint32_t chance) { options_.reset_chance = chance; }
  void SetDatagramFaults(uint32_t loss_chance, uint32_t double_chance) {
    options_.datagram_loss_chance = loss_chance;
    options_.datagram_double_chance = double_chance;
  }
  // Callbacks of the host are dropped uncalled from now on, its connections and listeners are dead.
  void Kill(const std::string& host, Death death);
  // The host's callbacks wait, and what it writes stays with it; its kernel goes on accepting
  // connections and bytes.
  void Pause(const std::string& host);
  void Resume(const std::string& host);

  // Streams that are open at either end.
  size_t open_streams() const;
  // Of all streams.
  uint64_t delivered_bytes() const { return delivered_bytes_; }

 private:
  class Host;
  class HostNetwork;
  class Stream;
  class SimConnection;
  class SimListener;
  using Link = std::pair<std::string, std::string>;  // from, to

  bool IsCut(const std::string& from, const std::string& to) const {
    return cuts_.contains({from, to});
  }
  int64_t Latency(const std::string& from, const std::string& to);
  // Runs `task` in the fabric after `delay_ns`.
  template <typename Task>
  void After(int64_t delay_ns, Task task);
  std::shared_ptr<Host> FindHost(const std::string& name) const;
  void Connect(std::shared_ptr<Host> from, const std::string& address,
               Network::ConnectCallback done);
  struct Dial;
  void TryConnect(std::shared_ptr<Dial> dial);
  void SendDatagram(const std::shared_ptr<Host>& from, const std::string& from_address,
                    const std::string& to, std::string_view bytes);
  // Everything held up may get through now.
  void PumpAll();
  template <typename Visit>
  void ForEachStream(Visit visit);

  const Clock& clock_;
  Executor& executor_;
  SimRandom& random_;
  Options options_;
  std::map<std::string, std::shared_ptr<Host>> hosts_;
  std::set<Link> cuts_;
  std::map<Link, int64_t> delays_;
  uint64_t next_stream_ = 1;
  std::map<uint64_t, std::weak_ptr<Stream>> streams_;  // in the order of their making
  uint64_t delivered_bytes_ = 0;
  struct BoundDatagram {
    std::shared_ptr<Host> host;
    SimDatagramSocket* socket;
  };
  std::map<std::string, BoundDatagram> datagram_sockets_;  // by "host:port"
  // Dies with the fabric: its timers look first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace cairn::env
