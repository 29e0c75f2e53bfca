// JoinSchedule: which addresses to try to join through gossip now: each again and again while it is
// wanted, with pauses that grow, until somebody answers.
//
// Pure: time is an argument. Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "env/random.h"

namespace cairn::cluster {

class JoinSchedule {
 public:
  // Attempts under way at one time: each is a TCP connection.
  static constexpr size_t kMaxAtOnce = 16;
  static constexpr int64_t kFirstPauseNs = 200'000'000;
  static constexpr int64_t kLongestPauseNs = 10'000'000'000;

  explicit JoinSchedule(env::Random& random) : random_(random) {}

  // The addresses to try now, of those that are wanted; each counts as under way until Answered.
  // What is no longer wanted is forgotten.
  std::vector<std::string> TakeDue(const std::set<std::string>& wanted, int64_t now_ns);
  // The attempt has ended. `error` "": it succeeded.
  void Answered(const std::string& address, const std::string& error, int64_t now_ns);

  // What the last attempt failed with; "" when none has, or the last one did not.
  std::string ErrorOf(const std::string& address) const;

 private:
  struct Attempt {
    int failures = 0;
    int64_t next_ns = 0;
    bool under_way = false;
    std::string error;
  };

  env::Random& random_;
  std::map<std::string, Attempt> attempts_;
};

}  // namespace cairn::cluster
