// StreamRegistry: the streams that are open, so that a shutdown can end each one politely.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"

namespace cairn::rpc {

class DrainableStream {
 public:
  virtual ~DrainableStream() = default;

  // Answers what was accepted, then ends the stream with UNAVAILABLE and reason SHUTTING_DOWN. Any
  // thread.
  virtual void Drain() = 0;

  // Ends the stream when its caller may no more. Any thread.
  virtual void Recheck() = 0;
};

// Thread-safe.
class StreamRegistry {
 public:
  // A stream that comes after DrainAll is drained at once.
  void Add(const std::shared_ptr<DrainableStream>& stream) {
    {
      base::MutexLock lock(mutex_);
      streams_.emplace(stream.get(), stream);
      if (!draining_) return;
    }
    stream->Drain();
  }

  void Remove(const DrainableStream* stream) {
    base::MutexLock lock(mutex_);
    streams_.erase(stream);
  }

  void DrainAll() {
    {
      base::MutexLock lock(mutex_);
      draining_ = true;
    }
    for (const auto& stream : Open()) stream->Drain();
  }

  void RecheckAll() {
    for (const auto& stream : Open()) stream->Recheck();
  }

  size_t size() const {
    base::MutexLock lock(mutex_);
    return streams_.size();
  }

 private:
  std::vector<std::shared_ptr<DrainableStream>> Open() const {
    std::vector<std::shared_ptr<DrainableStream>> open;
    base::MutexLock lock(mutex_);
    for (const auto& [key, weak] : streams_) {
      if (auto stream = weak.lock()) open.push_back(std::move(stream));
    }
    return open;
  }

  mutable base::Mutex mutex_;
  bool draining_ CAIRN_GUARDED_BY(mutex_) = false;
  std::unordered_map<const DrainableStream*, std::weak_ptr<DrainableStream>> streams_
      CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::rpc
