// Bytes on their way into a gathering write: owned, or a range of a buffer that others share.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"

namespace cairn::env {

// A value; the views it gives are valid until it is moved or dies.
class Slice {
 public:
  explicit Slice(std::string owned) : owned_(std::move(owned)) {}
  // [position, position + size_bytes) of `buffer`, which is kept alive and never copied.
  Slice(std::shared_ptr<const std::string> buffer, size_t position, size_t size_bytes)
      : shared_(std::move(buffer)), position_(position), size_bytes_(size_bytes) {
    CAIRN_CHECK(position <= shared_->size() && size_bytes <= shared_->size() - position,
                "a slice lies within its buffer");
  }

  std::string_view view() const {
    return shared_ ? std::string_view(*shared_).substr(position_, size_bytes_) : owned_;
  }
  size_t size() const { return shared_ ? size_bytes_ : owned_.size(); }

 private:
  std::string owned_;
  std::shared_ptr<const std::string> shared_;  // shared with whoever else sends or caches it
  size_t position_ = 0;
  size_t size_bytes_ = 0;
};

// Collects what one gathering write sends: small pieces run together in one string, large shared
// ones stay where they are. Not thread-safe.
class SliceBuffer {
 public:
  // Below this a copy costs less than an element of the system call's vector and the count of a
  // shared pointer.
  static constexpr size_t kCopyBelowBytes = 4096;

  // Returns `size_bytes` new bytes to be filled at once: valid until the next call.
  char* Extend(size_t size_bytes) {
    const size_t at = tail_.size();
    tail_.resize(at + size_bytes);
    size_bytes_ += size_bytes;
    return tail_.data() + at;
  }
  void Append(std::string_view bytes) {
    tail_.append(bytes);
    size_bytes_ += bytes.size();
  }
  void Append(std::shared_ptr<const std::string> buffer, size_t position, size_t size_bytes) {
    if (size_bytes < kCopyBelowBytes) {
      return Append(std::string_view(*buffer).substr(position, size_bytes));
    }
    FlushTail();
    slices_.emplace_back(std::move(buffer), position, size_bytes);
    size_bytes_ += size_bytes;
  }

  size_t size_bytes() const { return size_bytes_; }
  bool empty() const { return size_bytes_ == 0; }

  // Everything so far, in order; leaves the buffer empty.
  std::vector<Slice> Take() {
    FlushTail();
    size_bytes_ = 0;
    return std::exchange(slices_, {});
  }

 private:
  void FlushTail() {
    if (!tail_.empty()) slices_.emplace_back(std::exchange(tail_, {}));
  }

  std::vector<Slice> slices_;
  std::string tail_;  // what follows the slices
  size_t size_bytes_ = 0;
};

}  // namespace cairn::env
