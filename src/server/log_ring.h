// LogRing: the last lines of the log, in memory, for whoever asks what happened here.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace cairn::server {

// Thread-safe. A line costs a copy and a mutex that is held for a moment.
class LogRing {
 public:
  // Some minutes of a busy cluster at the usual level, and no more memory than that of one log.
  static constexpr size_t kMaxLines = 2'000;
  static constexpr size_t kMaxBytes = 1 << 20;

  // `line` with its newline.
  void Add(std::string_view line) {
    std::string copy(line);
    base::MutexLock lock(mutex_);
    bytes_ += copy.size();
    lines_.push_back(std::move(copy));
    while (lines_.size() > kMaxLines || (bytes_ > kMaxBytes && lines_.size() > 1)) {
      bytes_ -= lines_.front().size();
      lines_.pop_front();
    }
  }

  // From the oldest to the newest.
  std::string Text() const {
    base::MutexLock lock(mutex_);
    std::string text;
    text.reserve(bytes_);
    for (const std::string& line : lines_) text += line;
    return text;
  }

 private:
  mutable base::Mutex mutex_;
  std::deque<std::string> lines_ CAIRN_GUARDED_BY(mutex_);
  size_t bytes_ CAIRN_GUARDED_BY(mutex_) = 0;
};

}  // namespace cairn::server
