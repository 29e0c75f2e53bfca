#include "env/sync_pool.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cairn::env {
namespace {

// Several Syncs of one gate must be under way together before any of them returns.
class Gate {
 public:
  explicit Gate(size_t parties) : parties_(parties) {}
  void Arrive() {
    base::MutexLock lock(mutex_);
    if (++arrived_ >= parties_) open_.NotifyAll();
    while (arrived_ < parties_) open_.Wait(mutex_);
  }

 private:
  const size_t parties_;
  base::Mutex mutex_;
  base::CondVar open_;
  size_t arrived_ CAIRN_GUARDED_BY(mutex_) = 0;
};

// A file whose Sync waits at a gate and then returns what it was told; nothing else is ever called.
class GatedFile final : public File {
 public:
  GatedFile(Gate* gate, absl::Status status) : gate_(gate), status_(std::move(status)) {}
  absl::Status Sync() override {
    if (gate_ != nullptr) gate_->Arrive();
    return status_;
  }
  absl::StatusOr<size_t> ReadAt(uint64_t, std::span<char>) const override { return Unused(); }
  absl::Status WriteAt(uint64_t, std::span<const std::string_view>) override { return Unused(); }
  absl::Status Truncate(uint64_t) override { return Unused(); }
  absl::Status Allocate(uint64_t) override { return Unused(); }
  absl::StatusOr<uint64_t> Size() const override { return Unused(); }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(uint64_t) override { return Unused(); }

 private:
  static absl::Status Unused() { return absl::UnimplementedError("not called by SyncPool"); }
  Gate* const gate_;
  const absl::Status status_;
};

struct Batch {
  Batch(size_t count, Gate* gate) : results(count, absl::UnknownError("not synced")) {
    for (size_t i = 0; i < count; ++i) {
      owned.push_back(std::make_unique<GatedFile>(
          gate, i % 3 == 1 ? absl::InternalError(absl::StrCat(i)) : absl::OkStatus()));
      files.push_back(owned.back().get());
    }
  }
  void ExpectOwnResults() const {
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(results[i], i % 3 == 1 ? absl::InternalError(absl::StrCat(i)) : absl::OkStatus());
    }
  }
  std::vector<std::unique_ptr<File>> owned;
  std::vector<File*> files;
  std::vector<absl::Status> results;
};

TEST(SyncPoolTest, SyncsOneFileWithoutAThread) {
  SyncPool pool;
  Batch batch(1, nullptr);
  pool.Run(batch.files, batch.results);
  batch.ExpectOwnResults();
  EXPECT_EQ(pool.thread_count(), 0u);
  pool.Run({}, {});
}

TEST(SyncPoolTest, SyncsSixtyFourFilesAtTheSameTime) {
  SyncPool pool;
  for (int round = 0; round < 3; ++round) {
    Gate gate(64);
    Batch batch(64, &gate);
    pool.Run(batch.files, batch.results);
    batch.ExpectOwnResults();
  }
  EXPECT_LE(pool.thread_count(), SyncPool::kMaxThreads);
}

TEST(SyncPoolTest, SyncsMoreFilesThanItHasThreads) {
  SyncPool pool;
  Batch batch(1000, nullptr);
  pool.Run(batch.files, batch.results);
  batch.ExpectOwnResults();
  EXPECT_LE(pool.thread_count(), SyncPool::kMaxThreads);
}

TEST(SyncPoolTest, GivesEveryCallerItsOwnResults) {
  SyncPool pool;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&pool] {
      for (size_t round = 0; round < 50; ++round) {
        Batch batch(1 + round % 20, nullptr);
        pool.Run(batch.files, batch.results);
        batch.ExpectOwnResults();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace cairn::env
