#include "gossip/serf/coordinate.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/status_macros.h"
#include "gossip/swim/swim_config.h"
#include "gossip/wire/msgpack.h"

namespace cairn::gossip {
namespace {

constexpr uint8_t kPayloadVersion = 1;
constexpr double kMaxError = 1.5;
constexpr double kErrorTuning = 0.25;  // Vivaldi's c_e
constexpr double kForceTuning = 0.25;  // Vivaldi's c_c
constexpr double kMinHeight = 1e-5;
constexpr double kZero = 1e-6;
constexpr double kGravityRho = 150;
constexpr size_t kAdjustmentWindow = 20;
constexpr size_t kLatencyWindow = 3;
constexpr double kMaxRoundTripSeconds = 10;

using Vector = std::array<double, kCoordinateDimensions>;

Vector Minus(const Vector& a, const Vector& b) {
  Vector result;
  for (size_t i = 0; i < a.size(); ++i) result[i] = a[i] - b[i];
  return result;
}
double Magnitude(const Vector& a) {
  double sum = 0;
  for (const double x : a) sum += x * x;
  return std::sqrt(sum);
}
// Without the adjustment terms.
double RawDistance(const Coordinate& a, const Coordinate& b) {
  return Magnitude(Minus(a.vector, b.vector)) + a.height + b.height;
}
bool IsSane(const Coordinate& c) {
  return std::isfinite(c.error) && std::isfinite(c.adjustment) && std::isfinite(c.height) &&
         std::all_of(c.vector.begin(), c.vector.end(), [](double x) { return std::isfinite(x); });
}

}  // namespace

double DistanceSeconds(const Coordinate& a, const Coordinate& b) {
  const double raw = RawDistance(a, b);
  const double adjusted = raw + a.adjustment + b.adjustment;
  return adjusted > 0 ? adjusted : raw;
}

std::string EncodeCoordinate(const Coordinate& coordinate) {
  MsgpackWriter writer;
  writer.Map(4).Raw("Adjustment").Double(coordinate.adjustment);
  writer.Raw("Error").Double(coordinate.error).Raw("Height").Double(coordinate.height);
  writer.Raw("Vec").Array(kCoordinateDimensions);
  for (const double x : coordinate.vector) writer.Double(x);
  return static_cast<char>(kPayloadVersion) + writer.bytes();
}

absl::StatusOr<Coordinate> DecodeCoordinate(std::string_view payload) {
  if (payload.empty() || payload[0] != kPayloadVersion) {
    return absl::InvalidArgumentError("not a coordinate of a known version");
  }
  MsgpackReader reader(payload.substr(1));
  Coordinate coordinate;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "Adjustment") return reader.Take(coordinate.adjustment);
    if (name == "Error") return reader.Take(coordinate.error);
    if (name == "Height") return reader.Take(coordinate.height);
    if (name != "Vec") return reader.Skip();
    uint32_t count = 0;
    if (!reader.TakeArray(count)) return false;
    if (count != kCoordinateDimensions) return reader.Fail("another number of dimensions");
    return std::all_of(coordinate.vector.begin(), coordinate.vector.end(),
                       [&](double& x) { return reader.Take(x); });
  });
  CAIRN_RETURN_IF_ERROR(reader.status());
  if (!IsSane(coordinate)) return absl::InvalidArgumentError("a coordinate that is nowhere");
  return coordinate;
}

// The median of the last few: one slow packet is not a long way.
double CoordinateClient::Filter(const std::string& node, double seconds) {
  std::deque<double>& window = latencies_[node];
  window.push_back(seconds);
  if (window.size() > kLatencyWindow) window.pop_front();
  std::vector<double> sorted(window.begin(), window.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

// A push of `force` away from `from` (towards it when negative).
void CoordinateClient::Move(const Coordinate& from, double force) {
  Vector direction = Minus(coordinate_.vector, from.vector);
  const double distance = Magnitude(direction);
  double length = distance;
  if (distance <= kZero) {  // any way will do
    for (double& x : direction) x = static_cast<double>(random_.Next() >> 11) * 0x1p-53 - 0.5;
    length = std::max(Magnitude(direction), kZero);
  }
  for (size_t i = 0; i < direction.size(); ++i) {
    coordinate_.vector[i] += direction[i] / length * force;
  }
  if (distance > kZero) {
    coordinate_.height = std::max(
        kMinHeight, (coordinate_.height + from.height) * force / distance + coordinate_.height);
  }
}

void CoordinateClient::Observe(const std::string& node, const Coordinate& other,
                               int64_t round_trip_ns) {
  const double measured = static_cast<double>(round_trip_ns) / kNsPerSecond;
  if (measured <= 0 || measured > kMaxRoundTripSeconds) return;
  const double seconds = std::max(Filter(node, measured), kZero);
  const Coordinate before = coordinate_;

  const double distance = DistanceSeconds(coordinate_, other);
  const double wrongness = std::abs(distance - seconds) / seconds;
  const double total_error = std::max(coordinate_.error + other.error, kZero);
  const double weight = coordinate_.error / total_error;
  coordinate_.error = std::min(kMaxError, kErrorTuning * weight * wrongness +
                                              coordinate_.error * (1 - kErrorTuning * weight));
  Move(other, kForceTuning * weight * (seconds - distance));

  adjustments_.push_back(seconds - RawDistance(coordinate_, other));
  if (adjustments_.size() > kAdjustmentWindow) adjustments_.pop_front();
  double sum = 0;
  for (const double x : adjustments_) sum += x;
  coordinate_.adjustment = sum / (2.0 * kAdjustmentWindow);

  // All together drift; a weak pull keeps them around the origin.
  const Coordinate origin;
  const double away = DistanceSeconds(origin, coordinate_);
  Move(origin, -1 * std::pow(away / kGravityRho, 2));

  if (!IsSane(coordinate_)) coordinate_ = IsSane(before) ? before : Coordinate{};
}

}  // namespace cairn::gossip
