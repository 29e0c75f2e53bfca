// A KeyValueStore in memory for simulations: it keeps its promise (atomic, durable) through every
// simulated crash of its node, and fails when it is told to.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "env/key_value_store.h"

namespace cairn::env {

class SimKeyValueStore final : public KeyValueStore {
 public:
  absl::Status Apply(std::span<const Change> changes) override {
    base::MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    for (const Change& change : changes) {
      if (change.value.has_value()) {
        pairs_[change.key] = *change.value;
      } else {
        pairs_.erase(change.key);
      }
    }
    return absl::OkStatus();
  }

  absl::Status ForEach(
      std::string_view prefix,
      absl::FunctionRef<void(std::string_view, std::string_view)> visit) const override {
    base::MutexLock lock(mutex_);
    for (auto it = pairs_.lower_bound(std::string(prefix));
         it != pairs_.end() && it->first.starts_with(prefix); ++it) {
      visit(it->first, it->second);
    }
    return absl::OkStatus();
  }

  // Every Apply fails with this until it is OK again; nothing of it is kept.
  void SetFailure(absl::Status failure) {
    base::MutexLock lock(mutex_);
    failure_ = std::move(failure);
  }

  // An independent store with the same content.
  std::unique_ptr<SimKeyValueStore> Copy() const {
    auto copy = std::make_unique<SimKeyValueStore>();
    base::MutexLock lock(mutex_);
    base::MutexLock copy_lock(copy->mutex_);
    copy->pairs_ = pairs_;
    return copy;
  }

  // The disk was exchanged for an empty one.
  void Wipe() {
    base::MutexLock lock(mutex_);
    pairs_.clear();
  }

 private:
  mutable base::Mutex mutex_;
  std::map<std::string, std::string> pairs_ CAIRN_GUARDED_BY(mutex_);
  absl::Status failure_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::env
