// A producer of numbered records that remembers what was acknowledged, and the check afterwards:
// everything acknowledged is there, where it was said to be, once, in order.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cairn/client.h"
#include "cairn/producer.h"

namespace cairn::testing {

// Thread-safe. Outlives the producer whose callbacks it hears.
class Acknowledgements {
 public:
  DeliveryCallback For(uint64_t number) {
    return [this, number](const absl::StatusOr<Delivery>& delivery) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (delivery.ok()) {
        offsets_[number] = delivery->offset;
      } else {
        ++failures_;
        last_failure_ = delivery.status();
      }
    };
  }
  std::map<uint64_t, uint64_t> offsets() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return offsets_;
  }
  size_t count() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return offsets_.size();
  }
  uint64_t failures() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return failures_;
  }
  absl::Status last_failure() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_failure_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, uint64_t> offsets_;  // by number
  uint64_t failures_ = 0;
  absl::Status last_failure_;
};

// Reads the topic's partition 0 whole and fails the test unless every acknowledged number is at its
// offset, no number is there twice, and the numbers rise. Returns how many records there are.
uint64_t ExpectExactlyOnce(std::shared_ptr<Client> client, const std::string& topic,
                           const std::map<uint64_t, uint64_t>& acknowledged);

}  // namespace cairn::testing
