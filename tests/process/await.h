// Waiting for a condition, never for a time.
#pragma once

#include <chrono>
#include <thread>

namespace cairn::testing {

// Polls until `condition` holds; false when it did not within a minute (far more than anything here
// takes on a loaded machine).
template <typename Condition>
[[nodiscard]] bool Await(Condition condition,
                         std::chrono::milliseconds patience = std::chrono::minutes(1)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace cairn::testing
