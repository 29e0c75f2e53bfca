// For tests: a cluster of three nodes, of which the last does not answer, at two times.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "apps/cluster_view.h"
#include "base/error_info.h"
#include "base/strings.h"

namespace cairn::apps {

inline telemetry::ParsedMetrics ParseMetrics(const std::string& text) {
  auto metrics = telemetry::ParsedMetrics::Parse(text);
  EXPECT_TRUE(metrics.ok()) << metrics.status();
  return metrics.ok() ? *std::move(metrics) : telemetry::ParsedMetrics();
}

inline std::string Series(std::string_view name, std::string_view topic, int partition,
                          double value) {
  return base::StrCat(name, "{topic=\"", topic, "\",partition=\"", partition, "\"} ", value, "\n");
}

// What a node says that leads orders/0, follows orders/1, and has been used `times` times.
inline std::string NodeText(double times) {
  return base::StrCat(
      "cairn_ready 1\ncairn_replicas{role=\"leader\"} 1\ncairn_replicas{role=\"candidate\"} 0\n"
      "cairn_replicas{role=\"follower\"} 1\ncairn_replicas{role=\"closed\"} 0\n"
      "cairn_process_resident_memory_bytes 52000000\ncairn_connections 7\n"
      "cairn_process_cpu_seconds_total ",
      times, "\ncairn_fsync_duration_seconds_bucket{le=\"0.001\"} ", 90 * times,
      "\ncairn_fsync_duration_seconds_bucket{le=\"0.002\"} ", 100 * times,
      "\ncairn_fsync_duration_seconds_bucket{le=\"+Inf\"} ", 100 * times,
      "\ncairn_produce_duration_seconds_bucket{le=\"0.01\"} ", 50 * times,
      "\ncairn_produce_duration_seconds_bucket{le=\"+Inf\"} ", 50 * times, "\n",
      Series("cairn_partition_produced_records_total", "orders", 0, 1000 * times),
      Series("cairn_partition_produced_bytes_total", "orders", 0, 200'000 * times),
      Series("cairn_partition_consumed_records_total", "orders", 0, 500 * times),
      Series("cairn_partition_consumed_bytes_total", "orders", 0, 100'000 * times),
      Series("cairn_partition_consumers", "orders", 0, 1),
      Series("cairn_consumer_lag_records", "orders", 0, 1234),
      Series("cairn_partition_size_bytes", "orders", 0, 5e6),
      Series("cairn_partition_size_bytes", "orders", 1, 1e6));
}

inline ClusterInfo ThreeNodes() {
  ClusterInfo cluster;
  cluster.id = "0f6e3a52-7c1d-4f0a-9a7e-3a1b5c2d4e6f";
  cluster.controller = 2;
  for (const int32_t id : {1, 2, 3}) {
    cluster.nodes.push_back({.id = id, .name = base::StrCat("node-", id), .reachable = id != 3});
  }
  cluster.partitions = {{.topic = "orders",
                         .partition = 0,
                         .leader = 1,
                         .replicas = {1, 2, 3},
                         .under_replicated = true},
                        {.topic = "orders",
                         .partition = 1,
                         .leader = 2,
                         .replicas = {2, 1, 3},
                         .under_replicated = true},
                        {.topic = "audit", .partition = 0, .leader = 2, .replicas = {2}}};
  return cluster;
}

// At `second`, which is also how often it was used.
inline ClusterSample SampleAt(double second) {
  ClusterSample sample{.time_ms = 1'795'341'600'000 + static_cast<int64_t>(second * 1000),
                       .cluster = ThreeNodes()};
  sample.waits = std::vector<WaitInfo>{{"node 3 (node-3)", "does not answer"}};
  sample.nodes[1] = {.at_s = second, .metrics = ParseMetrics(NodeText(second))};
  sample.nodes[2] = {
      .at_s = second,
      .metrics = ParseMetrics("cairn_ready 0\ncairn_replicas{role=\"leader\"} 2\n" +
                              Series("cairn_partition_size_bytes", "orders", 0, 4e6) +
                              Series("cairn_partition_size_bytes", "orders", 1, 2e6))};
  sample.nodes[3].metrics = absl::UnavailableError("node 3 does not answer: no connection");
  return sample;
}

}  // namespace cairn::apps
