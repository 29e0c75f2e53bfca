// Network coordinates: the distance of two of them predicts the round trip between their nodes.
// Vivaldi: Dabek, Cox, Kaashoek, Morris, SIGCOMM 2004 (with height vectors, section 5.4); the
// adjustment term is Lee, Guha, Kim, Sahu, NSDI 2007; gravity Ledlie, Gardner, Seltzer, NSDI 2007.
// The constants are Serf's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "env/random.h"

namespace cairn::gossip {

inline constexpr size_t kCoordinateDimensions = 8;

// Distances are in seconds.
struct Coordinate {
  std::array<double, kCoordinateDimensions> vector = {};
  double error = 1.5;  // confidence; 1.5: none
  double adjustment = 0;
  double height = 1e-5;

  friend bool operator==(const Coordinate&, const Coordinate&) = default;
};

// The round trip between the two, in seconds.
double DistanceSeconds(const Coordinate& a, const Coordinate& b);

// What acknowledgements carry: a version byte and {Adjustment, Error, Height, Vec}. Errors:
// INVALID_ARGUMENT, for other versions and dimensions and for numbers that are not finite, too.
std::string EncodeCoordinate(const Coordinate& coordinate);
absl::StatusOr<Coordinate> DecodeCoordinate(std::string_view payload);

// This node's coordinate, which every round trip to another moves. Not thread-safe.
class CoordinateClient {
 public:
  // Draws a direction where two nodes are in one place.
  explicit CoordinateClient(env::Random& random) : random_(random) {}

  // A round trip to `node`, which was at `other`. Ignored when it took more than 10 s or nothing.
  void Observe(const std::string& node, const Coordinate& other, int64_t round_trip_ns);
  void Forget(const std::string& node) { latencies_.erase(node); }

  const Coordinate& coordinate() const { return coordinate_; }

 private:
  double Filter(const std::string& node, double seconds);
  void Move(const Coordinate& from, double force);

  env::Random& random_;
  Coordinate coordinate_;
  std::unordered_map<std::string, std::deque<double>> latencies_;
  std::deque<double> adjustments_;
};

}  // namespace cairn::gossip
