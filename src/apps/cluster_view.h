// What `cairn top` shows: two looks at a cluster, one behind the other, made into rows of numbers.
//
// Pure: whoever asks the cluster is command_top.cc, whoever draws is top_screen.h.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cairn/admin.h"
#include "telemetry/prometheus_parser.h"

namespace cairn::apps {

// The beginnings of the names of the metrics that a view is made of.
std::span<const std::string_view> ViewMetrics();

struct NodeSample {
  double at_s = 0;  // on a monotonic clock
  absl::StatusOr<telemetry::ParsedMetrics> metrics = absl::UnknownError("not asked");
};

struct ClusterSample {
  int64_t time_ms = 0;  // since the Unix epoch
  ClusterInfo cluster;
  absl::StatusOr<std::vector<WaitInfo>> waits = std::vector<WaitInfo>();
  std::map<int32_t, NodeSample> nodes;  // by id
};

// Per second. Absent before there are two samples.
struct Rates {
  std::optional<double> in_records, in_bytes;    // that producers were told are stored
  std::optional<double> out_records, out_bytes;  // that were read for consumers
};

struct NodeRow {
  int32_t id = 0;
  std::string name;
  std::string state;  // "active", "not ready", "draining", "dead", "no answer"
  std::string error;  // why there is nothing else to show; "" when there is
  bool controller = false;
  bool well = false;  // answers, and is ready
  double leaders = 0, followers = 0, closed = 0;
  std::optional<double> cpu_percent, memory_bytes, connections;
  // Of what happened between the samples; absent when nothing did.
  std::optional<double> fsync_p99_s, produce_p50_s, produce_p99_s;
  Rates rates;
};

struct TopicRow {
  std::string name;
  size_t partitions = 0;
  size_t without_leader = 0;
  size_t under_replicated = 0;
  std::map<int32_t, size_t> leaders;  // how many partitions each node leads
  double size_bytes = 0;              // of one copy: of each partition the largest
  double consumers = 0;               // streams that follow it
  std::optional<double> lag_records;  // of the slowest, of all partitions; absent without any
  Rates rates;
};

struct ClusterView {
  int64_t time_ms = 0;
  std::string cluster_id;
  int32_t controller = 0;
  std::vector<NodeRow> nodes;    // by id
  std::vector<TopicRow> topics;  // by name
  std::vector<WaitInfo> waits;
  std::string waits_error;  // why it is not known what the cluster waits for
  size_t partitions = 0;
  size_t under_replicated = 0;
  // Partitions without metrics of their own (--metrics-max-partitions): rates and sizes lack them.
  bool incomplete = false;
  Rates rates;
};

// `before` may be null. A counter that has fallen began again at 0.
ClusterView MakeView(const ClusterSample* before, const ClusterSample& now);

// By what topics are sorted: by name, or by a number, the largest first.
enum class SortKey { kName, kIn, kOut, kSize, kLag };
inline constexpr std::string_view kSortNames[] = {"name", "in", "out", "size", "lag"};
void SortTopics(std::vector<TopicRow>& topics, SortKey key);

// What is absent is null.
nlohmann::ordered_json ToJson(const ClusterView& view);

// The value below which the fraction `q` of what the histogram has counted since `before` lies,
// taking it as evenly spread within a bucket; nullopt when that is nothing. As histogram_quantile
// of Prometheus.
std::optional<double> QuantileSince(const telemetry::ParsedHistogram* before,
                                    const telemetry::ParsedHistogram& now, double q);

}  // namespace cairn::apps
