// What a Post costs its caller, against one asio::post per task.
#include <benchmark/benchmark.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <latch>
#include <thread>

#include "env/event_loop.h"

namespace cairn::env {
namespace {

constexpr int kTasks = 100'000;

// Posts from one foreign thread until all have run; the time is that of both sides together.
void BM_EventLoopPost(benchmark::State& state) {
  EventLoop loop("bench");
  for (auto _ : state) {
    std::latch done(1);
    for (int i = 1; i < kTasks; ++i) loop.Post([] {});
    loop.Post([&] { done.count_down(); });
    done.wait();
  }
  state.SetItemsProcessed(state.iterations() * kTasks);
}
BENCHMARK(BM_EventLoopPost)->UseRealTime();

void BM_AsioPost(benchmark::State& state) {
  boost::asio::io_context io(1);
  auto work = boost::asio::make_work_guard(io);
  std::thread thread([&] { io.run(); });
  for (auto _ : state) {
    std::latch done(1);
    for (int i = 1; i < kTasks; ++i) boost::asio::post(io, [] {});
    boost::asio::post(io, [&] { done.count_down(); });
    done.wait();
  }
  state.SetItemsProcessed(state.iterations() * kTasks);
  work.reset();
  thread.join();
}
BENCHMARK(BM_AsioPost)->UseRealTime();

// There and back: a Post to a sleeping loop, answered through a latch.
void BM_EventLoopRoundTrip(benchmark::State& state) {
  EventLoop loop("bench");
  for (auto _ : state) {
    std::latch done(1);
    loop.Post([&] { done.count_down(); });
    done.wait();
  }
}
BENCHMARK(BM_EventLoopRoundTrip)->UseRealTime();

void BM_EventLoopPostToItself(benchmark::State& state) {
  EventLoop loop("bench");
  for (auto _ : state) {
    std::latch done(1);
    loop.Post([&] {
      for (int i = 1; i < kTasks; ++i) loop.Post([] {});
      loop.Post([&] { done.count_down(); });
    });
    done.wait();
  }
  state.SetItemsProcessed(state.iterations() * kTasks);
}
BENCHMARK(BM_EventLoopPostToItself)->UseRealTime();

}  // namespace
}  // namespace cairn::env

BENCHMARK_MAIN();
