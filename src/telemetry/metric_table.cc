#include "telemetry/metric_table.h"

#include <array>

#include "base/strings.h"

namespace cairn::telemetry {
namespace {

constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kGauge = MetricKind::kGauge;
constexpr auto kHistogram = MetricKind::kHistogram;

template <size_t kCount>
using Names = std::array<std::string_view, kCount>;

constexpr Names<2> kMethodAndCode = {"method", "code"};
constexpr Names<1> kMethod = {"method"};
constexpr Names<1> kRole = {"role"};
constexpr Names<1> kReason = {"reason"};
constexpr Names<1> kProtocol = {"protocol"};
constexpr Names<1> kOutcome = {"outcome"};
constexpr Names<1> kCertificate = {"certificate"};
constexpr Names<2> kStatusAndKind = {"status", "kind"};
constexpr Names<2> kVersionAndCompiler = {"version", "compiler"};
constexpr Names<2> kPartition = {"topic", "partition"};

// 1, 2, 5 in each decade: from what a call costs at least to where a client has given up. In ns.
constexpr std::array<int64_t, 17> kDurations = {
    50'000,      100'000,       200'000,       500'000,       1'000'000,     2'000'000,
    5'000'000,   10'000'000,    20'000'000,    50'000'000,    100'000'000,   200'000'000,
    500'000'000, 1'000'000'000, 2'000'000'000, 5'000'000'000, 10'000'000'000};
constexpr double kNanoseconds = 1e-9;
constexpr std::array<int64_t, 13> kPowersOfTwo = {1,   2,   4,   8,    16,   32,  64,
                                                  128, 256, 512, 1024, 2048, 4096};

constexpr std::array<MetricSpec, kMetricCount> kTable = {{
    {Metric::kRpcRequests, "cairn_rpc_requests_total", kCounter, "",
     "RPCs that have ended, by method and status code", kMethodAndCode},
    {Metric::kRpcDuration, "cairn_rpc_duration_seconds", kHistogram, "seconds",
     "Time from the arrival of an RPC to its end; a stream ends when its client ends it", kMethod,
     false, kDurations, kNanoseconds},
    {Metric::kRpcStreams, "cairn_rpc_streams", kGauge, "", "Streams that are open now"},
    {Metric::kProduceDuration,
     "cairn_produce_duration_seconds",
     kHistogram,
     "seconds",
     "Time from the arrival of a batch at the leader of its partition to its answer, by unary "
     "calls "
     "and streams",
     {},
     false,
     kDurations,
     kNanoseconds},
    {Metric::kProduceInflight, "cairn_produce_inflight_bytes", kGauge, "bytes",
     "Batches that were accepted and are not answered"},
    {Metric::kAppendedRecords, "cairn_appended_records_total", kCounter, "",
     "Records committed on replicas of this node, leading or following"},
    {Metric::kAppendedBytes, "cairn_appended_bytes_total", kCounter, "bytes",
     "Bytes of those records, as they are stored"},
    {Metric::kFsyncDuration,
     "cairn_fsync_duration_seconds",
     kHistogram,
     "seconds",
     "Time of the fdatasync of one commit group, which syncs all of its files at once",
     {},
     false,
     kDurations,
     kNanoseconds},
    {Metric::kCommitGroup,
     "cairn_commit_group_entries",
     kHistogram,
     "",
     "Entries that share one fdatasync",
     {},
     false,
     kPowersOfTwo},
    {Metric::kDiskFull, "cairn_disk_full", kGauge, "",
     "1 when the last write that met the disk found no space"},
    {Metric::kTailCache, "cairn_tail_cache_bytes", kGauge, "bytes",
     "Newest batches that are kept in memory for readers"},
    {Metric::kReplicas, "cairn_replicas", kGauge, "",
     "Partition replicas of this node by role: leader, candidate, follower, or closed after a "
     "fault",
     kRole},
    {Metric::kReplicasWithoutLeader, "cairn_replicas_without_leader", kGauge, "",
     "Partition replicas of this node that know no leader: nobody can produce there"},
    {Metric::kReplicasDamaged, "cairn_replicas_damaged", kGauge, "",
     "Partition replicas of this node whose log is damaged and not repaired yet"},
    {Metric::kElections, "cairn_raft_elections_total", kCounter, "",
     "Elections that replicas of this node stood for"},
    {Metric::kLeaderChanges, "cairn_raft_leader_changes_total", kCounter, "",
     "Changes of the leader of a group, as replicas of this node saw them"},
    {Metric::kSnapshotsSent, "cairn_raft_snapshots_sent_total", kCounter, "",
     "Snapshots sent to followers that need what is no longer in the log"},
    {Metric::kSnapshotsReceived, "cairn_raft_snapshots_received_total", kCounter, "",
     "Snapshots that replaced a log of this node"},
    {Metric::kControllerLeads, "cairn_controller_leads", kGauge, "",
     "1 on the node that is the controller of the cluster"},
    {Metric::kControllerHasLeader, "cairn_controller_has_leader", kGauge, "",
     "1 while this node knows a controller: without one nothing about topics and nodes can change"},
    {Metric::kControllerTerm, "cairn_controller_term", kGauge, "",
     "Raft term of the controller's group"},
    {Metric::kControllerCommitLag, "cairn_controller_commit_lag_entries", kGauge, "entries",
     "Entries of the controller's log here that are not committed"},
    {Metric::kProducedRecords, "cairn_partition_produced_records_total", kCounter, "",
     "Records that producers were told are stored, on the partition's leader", kPartition, true},
    {Metric::kProducedBytes, "cairn_partition_produced_bytes_total", kCounter, "bytes",
     "Bytes of those records, as they were sent", kPartition, true},
    {Metric::kConsumedRecords, "cairn_partition_consumed_records_total", kCounter, "",
     "Records that were read for consumers by this node", kPartition, true},
    {Metric::kConsumedBytes, "cairn_partition_consumed_bytes_total", kCounter, "bytes",
     "Bytes of those records, as they are sent", kPartition, true},
    {Metric::kConsumers, "cairn_partition_consumers", kGauge, "",
     "Streams that follow the end of the partition on this node", kPartition, true},
    {Metric::kConsumerLag, "cairn_consumer_lag_records", kGauge, "",
     "Committed records that the slowest of those streams has not been sent; absent without one",
     kPartition, true},
    {Metric::kHighWatermark, "cairn_partition_high_watermark", kGauge, "offset",
     "First offset that is not committed", kPartition, true},
    {Metric::kLogStart, "cairn_partition_log_start", kGauge, "offset",
     "First offset that is there; retention moves it", kPartition, true},
    {Metric::kLogEnd, "cairn_partition_log_end", kGauge, "offset",
     "Offset behind the last record that is written here, committed or not", kPartition, true},
    {Metric::kLogSize, "cairn_partition_size_bytes", kGauge, "bytes", "Store files of the replica",
     kPartition, true},
    {Metric::kLogSegments, "cairn_partition_segments", kGauge, "", "Segments of the replica",
     kPartition, true},
    {Metric::kRaftTerm, "cairn_raft_term", kGauge, "", "Raft term of the replica", kPartition,
     true},
    {Metric::kRaftRole, "cairn_raft_role", kGauge, "",
     "Role of the replica: 0 follower, 1 candidate, 2 leader, -1 closed after a fault", kPartition,
     true},
    {Metric::kRaftHasLeader, "cairn_raft_has_leader", kGauge, "",
     "1 while the replica knows a leader", kPartition, true},
    {Metric::kRaftCommitLag, "cairn_raft_commit_lag_entries", kGauge, "entries",
     "Entries of the replica that are not known to be committed", kPartition, true},
    {Metric::kRaftFollowerLag, "cairn_raft_follower_lag_entries", kGauge, "entries",
     "On the leader: entries that the slowest other replica does not have; 0 elsewhere", kPartition,
     true},
    {Metric::kPeerMessagesSent, "cairn_peer_messages_sent_total", kCounter, "",
     "Raft messages taken over for sending to other nodes"},
    {Metric::kPeerMessagesReceived, "cairn_peer_messages_received_total", kCounter, "",
     "Raft messages of other nodes"},
    {Metric::kPeerMessagesRefused, "cairn_peer_messages_refused_total", kCounter, "",
     "Raft messages that were not sent: no connection, or its queue is full; Raft sends again"},
    {Metric::kPeerBytesSent, "cairn_peer_sent_bytes_total", kCounter, "bytes",
     "Bytes sent to other nodes"},
    {Metric::kPeerBytesReceived, "cairn_peer_received_bytes_total", kCounter, "bytes",
     "Bytes received from other nodes"},
    {Metric::kPeerConnects, "cairn_peer_connects_total", kCounter, "",
     "Connections made to other nodes"},
    {Metric::kPeerDisconnects, "cairn_peer_disconnects_total", kCounter, "",
     "Ends of those connections"},
    {Metric::kPeerRejections, "cairn_peer_rejections_total", kCounter, "",
     "Connections between nodes that were closed or not let in, by reason", kReason},
    {Metric::kGossipMembers, "cairn_gossip_members", kGauge, "",
     "Members that gossip knows, by status, and by what they are to this node", kStatusAndKind},
    {Metric::kGossipRefused, "cairn_gossip_refused_total", kCounter, "",
     "What gossip did not take, by reason", kReason},
    {Metric::kGossipProbes, "cairn_gossip_probes_total", kCounter, "", "Probes of other members"},
    {Metric::kGossipProbesFailed, "cairn_gossip_probes_failed_total", kCounter, "",
     "Probes that nobody answered"},
    {Metric::kConnections, "cairn_connections", kGauge, "",
     "Connections to the RPC port now; some that have just closed may be counted"},
    {Metric::kConnectionsAccepted, "cairn_connections_accepted_total", kCounter, "",
     "Connections to the RPC port by the protocol they turned out to speak", kProtocol},
    {Metric::kConnectionsRefused, "cairn_connections_refused_total", kCounter, "",
     "Connections to the RPC port that were closed before any protocol took them over, by reason",
     kReason},
    {Metric::kCertificateExpiry, "cairn_tls_certificate_expiry_timestamp_seconds", kGauge,
     "seconds since 1970", "End of validity of the certificate in use", kCertificate},
    {Metric::kPolicyVersion, "cairn_policy_version", kGauge, "",
     "Number of policies taken since the start; 0 without one"},
    {Metric::kSecurityReloads, "cairn_security_reloads_total", kCounter, "",
     "Changed certificates and policies that were taken"},
    {Metric::kSecurityReloadFailures, "cairn_security_reload_failures_total", kCounter, "",
     "Changed certificates and policies that were refused; the last good ones stay"},
    {Metric::kAuditWritten, "cairn_audit_records_written_total", kCounter, "",
     "Decisions that are in the audit log"},
    {Metric::kAuditDropped, "cairn_audit_records_dropped_total", kCounter, "",
     "Decisions that the audit log lost"},
    {Metric::kAuditFailures, "cairn_audit_failures_total", kCounter, "",
     "Failures to open, write or sync the audit log"},
    {Metric::kLogLinesWritten, "cairn_log_lines_written_total", kCounter, "",
     "Lines of the node's own log that were written"},
    {Metric::kLogLinesDropped, "cairn_log_lines_dropped_total", kCounter, "",
     "Lines that the node's own log lost: its disk is full, or nobody reads it fast enough"},
    {Metric::kLogLineFailures, "cairn_log_failures_total", kCounter, "",
     "Failures to open or write the node's own log"},
    {Metric::kTraceSpans, "cairn_trace_spans_total", kCounter, "",
     "Spans of traces that were exported, failed to be, or were dropped because the queue was full",
     kOutcome},
    {Metric::kMetricPushes, "cairn_metric_pushes_total", kCounter, "",
     "Pushes of these metrics by OTLP that were exported, or failed", kOutcome},
    {Metric::kReady, "cairn_ready", kGauge, "", "1 when /readyz answers 200"},
    {Metric::kBuildInfo, "cairn_build_info", kGauge, "",
     "1, with the version and the compiler that made it", kVersionAndCompiler},
    {Metric::kProcessCpu, "cairn_process_cpu_seconds_total", kCounter, "seconds",
     "CPU time of the process, user and system"},
    {Metric::kProcessMemory, "cairn_process_resident_memory_bytes", kGauge, "bytes",
     "Resident memory of the process"},
    {Metric::kProcessDescriptors, "cairn_process_open_fds", kGauge, "",
     "Open file descriptors of the process"},
    {Metric::kProcessMaxDescriptors, "cairn_process_max_fds", kGauge, "",
     "File descriptors that the process may have open"},
    {Metric::kProcessThreads, "cairn_process_threads", kGauge, "", "Threads of the process"},
    {Metric::kProcessStart, "cairn_process_start_time_seconds", kGauge, "seconds since 1970",
     "Start of the process"},
    {Metric::kSeriesDropped, "cairn_metrics_partitions_left_out_total", kCounter, "",
     "Partitions whose metrics were left out of a scrape by --metrics-max-partitions, summed over "
     "scrapes"},
}};

constexpr bool IsConsistent() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    const MetricSpec& spec = kTable[i];
    if (static_cast<size_t>(spec.id) != i) return false;
    if ((spec.kind == kHistogram) != !spec.buckets.empty()) return false;
    if (spec.buckets.size() > kMaxBuckets) return false;
    if (spec.per_partition != (spec.labels.data() == kPartition.data())) return false;
  }
  return true;
}
static_assert(IsConsistent());

std::string LabelNames(const MetricSpec& spec) {
  std::string names;
  for (const std::string_view label : spec.labels) {
    names = base::StrCat(names, names.empty() ? "" : ", ", "`", label, "`");
  }
  return names;
}

std::string Rows(bool per_partition) {
  std::string rows = "| name | kind | unit | labels | what it is |\n|---|---|---|---|---|\n";
  for (const MetricSpec& spec : kTable) {
    if (spec.per_partition != per_partition) continue;
    rows = base::StrCat(rows, "| `", spec.name, "` | ", ToString(spec.kind), " | ", spec.unit,
                        " | ", LabelNames(spec), " | ", spec.help, " |\n");
  }
  return rows;
}

}  // namespace

std::string_view ToString(MetricKind kind) {
  constexpr std::array<std::string_view, 3> kNames = {"counter", "gauge", "histogram"};
  return kNames[static_cast<size_t>(kind)];
}

std::span<const MetricSpec> MetricTable() { return kTable; }
const MetricSpec& SpecOf(Metric metric) { return kTable[static_cast<size_t>(metric)]; }

std::string MetricsPage() {
  return base::StrCat(
      "# Metrics\n\n"
      "`GET /metrics` on the RPC port answers in the text format of Prometheus (version 0.0.4). "
      "With a policy, it takes the right to `describe` the object `*`, which whoever may produce, "
      "consume, alter or delete there has; "
      "with authorities for clients, a certificate that they have signed.\n\n"
      "This page is made by `cairn docs metrics`. Counters begin at 0 when the process starts, "
      "those of a partition when its replica is opened.\n\n"
      "## Of the node\n\n",
      Rows(false),
      "\n## Of each partition\n\n"
      "On every node that holds a replica, for the first `--metrics-max-partitions` of them; with "
      "0 "
      "there are none.\n\n",
      Rows(true));
}

}  // namespace cairn::telemetry
