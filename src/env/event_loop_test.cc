#include "env/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <ctime>
#include <functional>
#include <latch>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "env/posix.h"

namespace cairn::env {
namespace {

using testing::ElementsAre;

constexpr int64_t kMillisecond = 1'000'000;

// Runs `task` on the loop and waits for it.
void RunOn(EventLoop& loop, Executor::Task task) {
  std::latch done(1);
  loop.Post([&] {
    task();
    done.count_down();
  });
  done.wait();
}

TEST(EventLoopTest, RunsTasksOnItsOwnNamedThread) {
  EventLoop loop("a name of more than 15 characters");
  EXPECT_FALSE(loop.IsCurrent());
  RunOn(loop, [&] {
    EXPECT_TRUE(loop.IsCurrent());
    char name[16];
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    EXPECT_STREQ(name, "a name of more ");
  });
}

TEST(EventLoopTest, NeverRunsATaskInline) {
  EventLoop loop("test");
  std::vector<int> order;
  RunOn(loop, [&] {
    loop.Post([&] { order.push_back(2); });
    order.push_back(1);
  });
  RunOn(loop, [&] { order.push_back(3); });
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(EventLoopTest, KeepsTheOrderOfEveryPoster) {
  constexpr int kPosters = 4;
  constexpr int kTasks = 20'000;
  EventLoop loop("test");
  std::vector<int> next(kPosters, 0);  // touched by the loop's thread only
  int out_of_order = 0;
  std::vector<std::thread> posters;
  for (int poster = 0; poster < kPosters; ++poster) {
    posters.emplace_back([&, poster] {
      for (int i = 0; i < kTasks; ++i) {
        loop.Post([&, poster, i] { out_of_order += next[poster]++ != i; });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  RunOn(loop, [&] {
    EXPECT_EQ(out_of_order, 0);
    EXPECT_EQ(next, std::vector<int>(kPosters, kTasks));
  });
}

TEST(EventLoopTest, RunsWhatWasPostedBeforeItsEnd) {
  std::atomic<int> ran = 0;
  {
    EventLoop loop("test");
    for (int i = 0; i < 1000; ++i) loop.Post([&] { ++ran; });
  }
  EXPECT_EQ(ran, 1000);
}

// A task that reposts itself for ever must not keep the loop alive, and its death may post again.
TEST(EventLoopTest, EndsInSpiteOfTasksThatPostMore) {
  struct PostsWhenItDies {
    explicit PostsWhenItDies(EventLoop* l) : loop(l) {}
    ~PostsWhenItDies() {
      loop->Post([] {});
    }
    EventLoop* loop;
  };
  EventLoop loop("test");
  std::function<void()> again = [&] { loop.Post([&] { again(); }); };
  RunOn(loop, [&] { again(); });
  auto posts = std::make_shared<PostsWhenItDies>(&loop);
  loop.PostAfter(3600'000 * kMillisecond, [posts = std::move(posts)] {});
}

TEST(EventLoopTest, TimersRunInTheOrderOfTheirDeadlines) {
  EventLoop loop("test");
  std::vector<int> order;
  std::latch done(4);
  const auto record = [&](int n) {
    return [&, n] {
      order.push_back(n);
      done.count_down();
    };
  };
  RunOn(loop, [&] {
    loop.PostAfter(30 * kMillisecond, record(4));
    loop.PostAfter(10 * kMillisecond, record(2));
    loop.PostAfter(20 * kMillisecond, record(3));
    loop.PostAfter(0, record(1));
  });
  done.wait();
  RunOn(loop, [&] { EXPECT_THAT(order, ElementsAre(1, 2, 3, 4)); });
}

TEST(EventLoopTest, ATimerNeverRunsEarly) {
  EventLoop loop("test");
  const int64_t start_ns = SystemClock().MonotonicNs();
  int64_t ran_ns = 0;
  std::latch done(1);
  loop.PostAfter(20 * kMillisecond, [&] {
    ran_ns = SystemClock().MonotonicNs();
    done.count_down();
  });
  done.wait();
  EXPECT_GE(ran_ns - start_ns, 20 * kMillisecond);
}

TEST(EventLoopTest, AnEarlierTimerOvertakesOneThatWasSet) {
  EventLoop loop("test");
  loop.PostAfter(3600'000 * kMillisecond, [] { ADD_FAILURE() << "an hour has not passed"; });
  std::latch done(1);
  loop.PostAfter(1 * kMillisecond, [&] { done.count_down(); });
  done.wait();
}

TEST(EventLoopTest, ATimerMayBeAsFarAwayAsTimeGoes) {
  EventLoop loop("test");
  loop.PostAfter(std::numeric_limits<int64_t>::max(), [] { ADD_FAILURE(); });
  RunOn(loop, [] {});
}

TEST(EventLoopTest, ACancelledTimerDoesNotRun) {
  EventLoop loop("test");
  std::latch done(1);
  RunOn(loop, [&] {
    loop.Cancel(
        loop.PostAfter(1 * kMillisecond, [] { ADD_FAILURE() << "cancelled before its time"; }));
    loop.PostAfter(2 * kMillisecond, [&] { done.count_down(); });
    loop.Cancel(12345);  // never given out
  });
  done.wait();
}

TEST(EventLoopTest, ATimerMayCancelTheNextOneThatIsDue) {
  EventLoop loop("test");
  std::latch done(1);
  Executor::TimerId victim = 0;
  RunOn(loop, [&] {
    loop.PostAfter(0, [&] { loop.Cancel(victim); });
    victim = loop.PostAfter(0, [] { ADD_FAILURE() << "cancelled by the one before"; });
    loop.PostAfter(1 * kMillisecond, [&] { done.count_down(); });
  });
  done.wait();
}

TEST(EventLoopTest, DropsWaitingTimersAtItsEnd) {
  auto held = std::make_shared<int>();
  const std::weak_ptr<int> watch = held;
  {
    EventLoop loop("test");
    loop.PostAfter(3600'000 * kMillisecond, [held = std::move(held)] { ADD_FAILURE(); });
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

TEST(EventLoopTest, SleepsWhileThereIsNothingToDo) {
  EventLoop loop("test");
  clockid_t cpu_clock;
  RunOn(loop, [&] { ASSERT_EQ(::pthread_getcpuclockid(::pthread_self(), &cpu_clock), 0); });
  const auto cpu_ns = [&] {
    timespec used;
    ::clock_gettime(cpu_clock, &used);
    return used.tv_sec * 1'000'000'000 + used.tv_nsec;
  };
  const int64_t before_ns = cpu_ns();
  std::latch done(1);
  loop.PostAfter(200 * kMillisecond, [&] { done.count_down(); });
  done.wait();
  EXPECT_LT(cpu_ns() - before_ns, 10 * kMillisecond);
}

}  // namespace
}  // namespace cairn::env
