// What the peer transport carries over loopback, and what a message costs. Both ends are in this
// process: cpu_us counts the sender's thread and both loops.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <latch>
#include <thread>

#include "consensus/peer_transport_fixture.h"
#include "log/entry.h"

namespace cairn::consensus {
namespace {

double CpuSeconds() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Pair {
  Pair() {
    b.on_message = [this](GroupId, Message) { received.fetch_add(1, std::memory_order_relaxed); };
    a.transport().SetPeer(NodeId(2), b.address());
    while (a.ups == 0) std::this_thread::yield();
  }
  void Send(GroupId group, const Message& message) {
    while (!a.transport().Send(NodeId(2), group, message)) {
      std::latch writable(1);
      a.transport().NotifyWritable(NodeId(2), [&] { writable.count_down(); });
      writable.wait();
    }
  }
  void WaitFor(uint64_t count) {
    while (received.load(std::memory_order_relaxed) < count) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

  SocketNode a{1};
  SocketNode b{2};
  std::atomic<uint64_t> received{0};
};

void Run(benchmark::State& state, const Message& message, int per_iteration, size_t body_bytes) {
  Pair pair;
  uint64_t sent = 0;
  const double before = CpuSeconds();
  for (auto _ : state) {
    for (int i = 0; i < per_iteration; ++i) pair.Send(GroupId(static_cast<uint64_t>(i)), message);
    sent += static_cast<uint64_t>(per_iteration);
    pair.WaitFor(sent);
  }
  const PeerCounters counters = pair.a.transport().counters();
  state.counters["cpu_us"] = (CpuSeconds() - before) * 1e6 / static_cast<double>(sent);
  state.counters["messages_per_write"] =
      static_cast<double>(counters.messages_sent) / static_cast<double>(counters.writes);
  state.SetItemsProcessed(static_cast<int64_t>(sent));
  if (body_bytes > 0) state.SetBytesProcessed(static_cast<int64_t>(sent * body_bytes));
}

void BM_Entries(benchmark::State& state) {
  const auto body_bytes = static_cast<size_t>(state.range(0));
  AppendEntries message{.term = Term(1), .prev_index = Index(1), .prev_term = Term(1)};
  message.entries.push_back(log::MakeControlEntry(log::EntryKind::kConfiguration,
                                                  std::string(body_bytes, 'x'), Index(2), Term(1),
                                                  Offset(0), 0));
  Run(state, message, static_cast<int>((64u << 20) / (body_bytes + 200)), body_bytes);
}
BENCHMARK(BM_Entries)->Arg(1 << 10)->Arg(16 << 10)->Arg(128 << 10)->Arg(1 << 20)->UseRealTime();

void BM_TinyMessages(benchmark::State& state) {
  Run(state, AppendEntriesResult{Term(1), Index(0), Index(1), Term(0)}, 100'000, 0);
}
BENCHMARK(BM_TinyMessages)->UseRealTime();

// One at a time, there and back.
void BM_Call(benchmark::State& state) {
  Pair pair;
  for (auto _ : state) {
    std::latch done(1);
    pair.a.transport().Call(NodeId(2), 1, "ping", 1'000'000'000,
                            [&](const absl::StatusOr<std::string>&) { done.count_down(); });
    done.wait();
  }
}
BENCHMARK(BM_Call)->UseRealTime();

}  // namespace
}  // namespace cairn::consensus

BENCHMARK_MAIN();
