// Every metric of cairn, in one table: what a scrape shows, what docs/ops/metrics.md says, what
// dashboards and alerts may name.
//
// Whoever has a value to show names the metric by its enumerator; name, labels and buckets stand
// here alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cairn::telemetry {

enum class Metric : uint8_t {
  kRpcRequests,
  kRpcDuration,
  kRpcStreams,
  kProduceDuration,
  kProduceInflight,
  kAppendedRecords,
  kAppendedBytes,
  kFsyncDuration,
  kCommitGroup,
  kDiskFull,
  kTailCache,
  kReplicas,
  kReplicasWithoutLeader,
  kReplicasDamaged,
  kElections,
  kLeaderChanges,
  kSnapshotsSent,
  kSnapshotsReceived,
  kControllerLeads,
  kControllerHasLeader,
  kControllerTerm,
  kControllerCommitLag,
  kProducedRecords,
  kProducedBytes,
  kConsumedRecords,
  kConsumedBytes,
  kConsumers,
  kConsumerLag,
  kHighWatermark,
  kLogStart,
  kLogEnd,
  kLogSize,
  kLogSegments,
  kRaftTerm,
  kRaftRole,
  kRaftHasLeader,
  kRaftCommitLag,
  kRaftFollowerLag,
  kPeerMessagesSent,
  kPeerMessagesReceived,
  kPeerMessagesRefused,
  kPeerBytesSent,
  kPeerBytesReceived,
  kPeerConnects,
  kPeerDisconnects,
  kPeerRejections,
  kGossipMembers,
  kGossipRefused,
  kGossipProbes,
  kGossipProbesFailed,
  kConnections,
  kConnectionsAccepted,
  kConnectionsRefused,
  kCertificateExpiry,
  kPolicyVersion,
  kSecurityReloads,
  kSecurityReloadFailures,
  kAuditWritten,
  kAuditDropped,
  kAuditFailures,
  kLogLinesWritten,
  kLogLinesDropped,
  kLogLineFailures,
  kTraceSpans,
  kMetricPushes,
  kReady,
  kBuildInfo,
  kProcessCpu,
  kProcessMemory,
  kProcessDescriptors,
  kProcessMaxDescriptors,
  kProcessThreads,
  kProcessStart,
  kSeriesDropped,
};
inline constexpr size_t kMetricCount = static_cast<size_t>(Metric::kSeriesDropped) + 1;

enum class MetricKind : uint8_t { kCounter, kGauge, kHistogram };
std::string_view ToString(MetricKind kind);

// More would make an Observe slow and a histogram many series.
inline constexpr size_t kMaxBuckets = 24;

struct MetricSpec {
  Metric id;
  std::string_view name;  // "cairn_..."
  MetricKind kind;
  std::string_view unit;  // of the value as it is shown; "" for what is counted by the name
  std::string_view help;  // a sentence without its period
  std::span<const std::string_view> labels = {};
  bool per_partition = false;  // labels are topic and partition: bounded by configuration
  // Of a histogram: what an observation is counted under, up to and including, ascending, in the
  // unit of Observe; times `scale` it is in `unit`.
  std::span<const int64_t> buckets = {};
  double scale = 1;
};

// In the order of Metric.
std::span<const MetricSpec> MetricTable();
const MetricSpec& SpecOf(Metric metric);

// docs/ops/metrics.md: the table for people.
std::string MetricsPage();

}  // namespace cairn::telemetry
