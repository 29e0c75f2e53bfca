// The transport over real sockets, with threads that send at the same time.
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <map>
#include <thread>
#include <vector>

#include "base/crc32c.h"
#include "consensus/peer_transport_fixture.h"
#include "log/entry.h"

namespace cairn::consensus {
namespace {

// Sends until it is taken over, waiting for room instead of spinning.
void SendSurely(PeerTransport& transport, NodeId to, GroupId group, const Message& message) {
  while (!transport.Send(to, group, message)) {
    std::latch writable(1);
    transport.NotifyWritable(to, [&] { writable.count_down(); });
    writable.wait();
  }
}

void WaitFor(const std::function<bool()>& condition) {
  for (int i = 0; i < 60'000 && !condition(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(condition());
}

// 256 MiB from four threads, each with a group of its own, beside heartbeats and calls: everything
// arrives, whole and in the order of its group.
TEST(PeerTransportSocketTest, MovesManyEntriesOfManyThreadsInOrder) {
  constexpr size_t kThreads = 4;
  constexpr size_t kBodyBytes = 128 << 10;
  constexpr size_t kCallBytes = 1 << 20;
  constexpr uint64_t kEntries = (256u << 20) / kBodyBytes / kThreads;
  SocketNode a(1);
  SocketNode b(2);
  std::map<GroupId, uint64_t> last;  // b's loop
  std::atomic<uint64_t> received{0};
  std::atomic<uint64_t> faults{0};
  b.on_message = [&](GroupId group, Message message) {
    const auto* append = std::get_if<AppendEntries>(&message);
    if (!append) return;
    for (const log::Entry& entry : append->entries) {
      if (entry.header.index.value() != ++last[group] || entry.body().size() != kBodyBytes ||
          entry.body().back() != static_cast<char>(entry.header.index.value())) {
        faults.fetch_add(1);
      }
      received.fetch_add(1);
    }
  };
  a.transport().SetPeer(NodeId(2), b.address());
  b.transport().SetPeer(NodeId(1), a.address());
  WaitFor([&] { return a.ups == 1 && b.ups == 1; });

  std::latch called(1);
  const std::function<void()> call = [&] {
    a.transport().Call(NodeId(2), 1, std::string(kCallBytes, 'c'), 60'000'000'000,
                       [&](absl::StatusOr<std::string> answer) {
                         // The queue is full of entries: whoever calls tries again.
                         if (absl::IsResourceExhausted(answer.status())) return call();
                         EXPECT_EQ(answer.value_or("").size(), kCallBytes) << answer.status();
                         called.count_down();
                       });
  };
  call();
  size_t most_queued = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 1; i <= kEntries; ++i) {
        AppendEntries message{.term = Term(1), .prev_index = Index(i - 1), .prev_term = Term(1)};
        message.entries.push_back(log::MakeControlEntry(
            log::EntryKind::kConfiguration, std::string(kBodyBytes, static_cast<char>(i)), Index(i),
            Term(1), Offset(0), 0));
        SendSurely(a.transport(), NodeId(2), GroupId(t + 1), message);
        a.transport().Send(NodeId(2), GroupId(100), Probe{Term(1), i});
        if (t == 0) most_queued = std::max(most_queued, a.transport().queued_bytes(NodeId(2)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  WaitFor([&] { return received == kThreads * kEntries; });
  called.wait();
  EXPECT_EQ(faults, 0u);
  EXPECT_EQ(a.downs + b.downs, 0);
  // The limit is asked about before an entry is queued, and a call has its own.
  EXPECT_LE(most_queued, (16u << 20) + kThreads * (kBodyBytes + 1000) + kCallBytes + 1000);
  // The last write is counted behind its arrival.
  WaitFor([&] { return a.transport().counters().bytes_sent >= 256u << 20; });
  const PeerCounters counters = a.transport().counters();
  EXPECT_LT(counters.writes, counters.messages_sent) << "what waits is written together";
}

TEST(PeerTransportSocketTest, FindsANodeThatStartsLaterAndNoticesItsEnd) {
  SocketNode a(1);
  auto b = std::make_unique<SocketNode>(2);
  a.transport().SetPeer(NodeId(2), b->address());
  WaitFor([&] { return a.ups == 1; });
  b.reset();
  WaitFor([&] { return a.downs == 1; });
  EXPECT_FALSE(a.transport().Send(NodeId(2), GroupId(1), Probe{Term(1), 1}));
}

}  // namespace
}  // namespace cairn::consensus
