// UnavailablePartition: stands for a partition that could not be opened; says why to everyone who
// asks.
#pragma once

#include <memory>
#include <utility>

#include "broker/partition.h"
#include "env/executor.h"

namespace cairn::broker {

class UnavailablePartition final : public Partition {
 public:
  UnavailablePartition(env::Executor& loop, absl::Status why) : loop_(loop), why_(std::move(why)) {}

  void Produce(log::Batch, std::optional<Offset>, ProduceCallback done) override {
    loop_.Post([done = std::move(done), why = why_]() mutable { done(std::move(why)); });
  }
  void PostBehindAnswers(absl::AnyInvocable<void()> task) override { loop_.Post(std::move(task)); }
  Offset log_start() const override { return Offset(); }
  Offset high_watermark() const override { return Offset(); }
  absl::StatusOr<FetchResult> Fetch(Offset, size_t) override { return why_; }
  absl::StatusOr<Offset> OffsetForTimestamp(int64_t) override { return why_; }
  WaitId WaitForData(Offset, WaitCallback ready) override {
    loop_.Post([ready = std::move(ready), why = why_]() mutable { ready(std::move(why)); });
    return 0;
  }
  void CancelWait(WaitId) override {}

 private:
  env::Executor& loop_;
  const absl::Status why_;
};

}  // namespace cairn::broker
