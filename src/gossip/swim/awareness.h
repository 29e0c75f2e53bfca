// How well this node itself is doing: a score from 0 (well) that rises with missed answers and with
// having to refute, and stretches its own probing, so that a slow node does not accuse others.
// Lifeguard section IV-A ("local health multiplier").
#pragma once

#include <algorithm>
#include <cstdint>

namespace cairn::gossip {

class Awareness {
 public:
  // Scores are in [0, limit).
  explicit Awareness(int limit) : limit_(limit) {}

  void Add(int delta) { score_ = std::clamp(score_ + delta, 0, limit_ - 1); }
  int score() const { return score_; }
  int64_t Scale(int64_t duration_ns) const { return duration_ns * (score_ + 1); }

 private:
  const int limit_;
  int score_ = 0;
};

}  // namespace cairn::gossip
