// Writes to stdout in large pieces, and knows when nobody reads any more.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/mutex.h"

namespace cairn::apps {

// The descriptor, shared by the threads that print. Thread-safe.
class SharedOutput {
 public:
  explicit SharedOutput(int fd) : fd_(fd) {}

  // All of `bytes`, in one piece beside other threads. Errors: CANCELLED when the reader went away
  // or an interrupt came; of write.
  absl::Status Write(std::string_view bytes);

 private:
  const int fd_;
  base::Mutex mutex_;
};

// What one thread prints, collected until it is worth a write. Thread-compatible.
class OutputBuffer {
 public:
  explicit OutputBuffer(SharedOutput& output) : output_(output) { text_.reserve(2 * kFlushBytes); }

  std::string& text() { return text_; }
  bool full() const { return text_.size() >= kFlushBytes; }
  absl::Status Flush();

 private:
  static constexpr size_t kFlushBytes = 256 << 10;  // beyond this a larger write gains nothing

  SharedOutput& output_;
  std::string text_;
};

}  // namespace cairn::apps
