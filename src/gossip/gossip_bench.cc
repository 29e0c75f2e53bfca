// What gossip costs: packets read, clusters simulated, a quiet cluster of real nodes.
//
// Asked: at least 500,000 packets decoded per second; 1,000 nodes simulated at 20 times real time
// or more; of a node in a quiet cluster of 100 less than 1 % of a core and less than 10 kB/s.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "base/strings.h"
#include "env/event_loop.h"
#include "env/posix.h"
#include "env/sim_random.h"
#include "gossip/serf/coordinate.h"
#include "gossip/serf/serf_cluster_testing.h"
#include "gossip/transport/gossip_node.h"
#include "gossip/wire/message_codec.h"
#include "gossip/wire/packet.h"

namespace cairn::gossip {
namespace {

double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// ---- packets ----

// What a node of a quiet cluster receives most, and what one hears while members come and go.
enum class PacketKind : int { kPing, kAck, kGossip };
constexpr const char* kPacketKinds[] = {"ping", "ack with coordinate", "gossip of 6 messages"};

std::string MakeMessage(PacketKind kind) {
  switch (kind) {
    case PacketKind::kPing:
      return Encode(Ping{77, "node-17", Address::Parse("10.0.0.9:7946").value(), "node-9"});
    case PacketKind::kAck:
      return Encode(Ack{77, EncodeCoordinate(Coordinate{})});
    case PacketKind::kGossip:
      break;
  }
  std::vector<std::string> messages;
  for (int i = 0; i < 2; ++i) {
    const std::string name = base::StrCat("node-", i);
    const Address at = Address::Parse(base::StrCat("10.0.0.", i, ":7946")).value();
    messages.push_back(Encode(Alive{1, name, at, std::string(150, 'm'), Versions{}}));
    messages.push_back(Encode(Suspect{1, name, "node-7"}));
    messages.push_back(std::string(1, static_cast<char>(MessageType::kUser)) +
                       Encode(JoinIntent{300, name}));
  }
  return JoinMessages(messages);
}

bool DecodeWhole(const OpenedPacket::Message& message) {
  switch (message.type) {
    case MessageType::kPing:
      return DecodePing(message.body).ok();
    case MessageType::kAck:
      return DecodeAck(message.body).ok();
    case MessageType::kAlive:
      return DecodeAlive(message.body).ok();
    case MessageType::kSuspect:
      return DecodeSuspect(message.body).ok();
    case MessageType::kUser:
      return DecodeSerf(message.body).ok();
    default:
      return false;
  }
}

// A datagram, and every message in it, to values. Arguments: kind, checksum, sealed.
void BM_DecodePacket(benchmark::State& state) {
  env::SimRandom random(1);
  Envelope envelope;
  if (state.range(2) != 0) envelope.keyring.Install(std::string(32, 'k')).IgnoreError();
  const std::string packet =
      MakePacket(MakeMessage(static_cast<PacketKind>(state.range(0))), envelope,
                 {.compress = false, .checksum = state.range(1) != 0}, random);
  for (auto _ : state) {
    const auto opened = OpenedPacket::Open(packet, envelope);
    for (const auto& message : opened->messages()) {
      if (!DecodeWhole(message)) return state.SkipWithError("a message is malformed");
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.SetLabel(base::StrCat(kPacketKinds[state.range(0)], state.range(1) ? ", sum" : "",
                              state.range(2) ? ", sealed" : ""));
}
BENCHMARK(BM_DecodePacket)->ArgsProduct({{0, 1, 2}, {0, 1}, {0, 1}});

// ---- simulated ----

// Argument: nodes. They form a cluster first, which takes time by the square of their number.
void BM_SimulateQuietCluster(benchmark::State& state) {
  const auto nodes = static_cast<size_t>(state.range(0));
  SerfCluster cluster({.seed = 4});
  for (size_t i = 0; i < nodes; ++i) {
    cluster.Add();
    if (i > 0) cluster.Join(i, 0);
    cluster.RunFor(10 * kNsPerMs);
  }
  cluster.RunFor(60 * kNsPerSecond);
  const int64_t start_ns = cluster.now_ns();
  const uint64_t packets = cluster.packets();
  const uint64_t packet_bytes = cluster.packet_bytes();
  const uint64_t stream_bytes = cluster.stream_bytes();
  for (auto _ : state) cluster.RunFor(10 * kNsPerSecond);
  const double seconds = static_cast<double>(cluster.now_ns() - start_ns) / kNsPerSecond;
  const double node_seconds = seconds * static_cast<double>(nodes);
  state.counters["times_real_time"] = benchmark::Counter(seconds, benchmark::Counter::kIsRate);
  // Of one node, sent.
  state.counters["packets/s"] = static_cast<double>(cluster.packets() - packets) / node_seconds;
  state.counters["packet_bytes/s"] =
      static_cast<double>(cluster.packet_bytes() - packet_bytes) / node_seconds;
  state.counters["stream_bytes/s"] =
      static_cast<double>(cluster.stream_bytes() - stream_bytes) / node_seconds;
}
// One run of each: forming is not done twice to find out how long it takes.
BENCHMARK(BM_SimulateQuietCluster)
    ->Arg(100)
    ->Arg(1000)
    ->Iterations(6)
    ->Unit(benchmark::kMillisecond);

// ---- real ----

// Calls `what` on the loop, and waits for it.
template <typename What>
auto OnLoop(env::EventLoop& loop, What what) {
  std::promise<decltype(what())> done;
  loop.Post([&] { done.set_value(what()); });
  return done.get_future().get();
}

// As many GossipNodes as the argument says, on one thread and loopback, in real time: what one of
// them takes of a core.
void BM_QuietCluster(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  env::EventLoop loop("gossip");
  std::vector<std::unique_ptr<GossipNode>> nodes;
  const auto all_alive = [&] {
    return std::all_of(nodes.begin(), nodes.end(), [&](const auto& node) {
      size_t alive = 0;
      for (const auto& [name, member] : node->serf().members()) {
        alive += member.status == MemberStatus::kAlive;
      }
      return alive == count;
    });
  };
  for (size_t i = 0; i < count; ++i) {
    OnLoop(loop, [&] {
      SerfConfig config;
      config.swim.name = base::StrCat("n", i);
      config.tags = {{"rpc_addr", "127.0.0.1:8400"}, {"version", "1"}};
      nodes.push_back(GossipNode::Start("127.0.0.1:0", std::move(config), loop, loop,
                                        env::SystemClock(), env::SystemRandom(), nullptr)
                          .value());
      const Address first = Address::Parse(nodes.front()->local_address()).value();
      if (i > 0) nodes.back()->With([&](Serf& serf) { serf.Join(first, false, nullptr); });
      return true;
    });
  }
  while (!OnLoop(loop, all_alive)) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::this_thread::sleep_for(std::chrono::seconds(10));  // what they had to say has been said
  const double start = OnLoop(loop, ThreadCpuSeconds);
  const auto began = std::chrono::steady_clock::now();
  for (auto _ : state) std::this_thread::sleep_for(std::chrono::seconds(30));
  const double cpu = OnLoop(loop, ThreadCpuSeconds) - start;
  const std::chrono::duration<double> real = std::chrono::steady_clock::now() - began;
  state.counters["percent_of_a_core_per_node"] =
      100 * cpu / real.count() / static_cast<double>(count);
  OnLoop(loop, [&] {
    nodes.clear();
    return true;
  });
}
BENCHMARK(BM_QuietCluster)->Arg(100)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cairn::gossip

BENCHMARK_MAIN();
