#include "server/node_metrics.h"

#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace cairn::server {
namespace {

using consensus::RaftState;
using consensus::ReplicaStatus;
using telemetry::Metric;
using telemetry::Samples;

constexpr std::string_view kClosed = "closed";

std::string_view RoleName(RaftState state) {
  switch (state) {
    case RaftState::kFollower:
      return "follower";
    case RaftState::kCandidate:
      return "candidate";
    case RaftState::kLeader:
      break;
  }
  return "leader";
}

uint64_t Behind(Index last, Index at) { return last > at ? last - at : 0; }

// What the slowest of the others does not have; `match` is empty but on the leader.
uint64_t FollowerLag(const ReplicaStatus& status) {
  uint64_t lag = 0;
  for (const auto& [node, match] : status.match) {
    lag = std::max(lag, Behind(status.last_index, match));
  }
  return lag;
}

void AddPartition(Samples& samples, const broker::HostedReplica& hosted,
                  const ReplicaStatus& status, const rpc::ConsumerLags& consumers) {
  const std::string partition = std::to_string(hosted.spec.partition.value());
  const auto add = [&](Metric metric, auto value) {
    samples.Add(metric, value, {hosted.spec.topic.name, partition});
  };
  add(Metric::kRaftRole, status.open ? static_cast<double>(status.state) : -1.0);
  add(Metric::kRaftHasLeader, status.leader.value() != 0 ? 1.0 : 0.0);
  if (hosted.replica == nullptr) return;  // could not be opened: there is no more to know
  add(Metric::kRaftTerm, static_cast<double>(status.term.value()));
  add(Metric::kRaftCommitLag, Behind(status.last_index, status.commit_index));
  add(Metric::kRaftFollowerLag, FollowerLag(status));
  const auto log = hosted.replica->log();
  add(Metric::kHighWatermark, hosted.partition->high_watermark().value());
  add(Metric::kLogStart, log->start_offset().value());
  add(Metric::kLogEnd, log->end_offset().value());
  add(Metric::kLogSize, log->size_bytes());
  add(Metric::kLogSegments, uint64_t{log->segment_count()});
  const broker::PartitionCounters& counters = hosted.partition->counters();
  add(Metric::kProducedRecords, counters.produced_records.value());
  add(Metric::kProducedBytes, counters.produced_bytes.value());
  add(Metric::kConsumedRecords, counters.consumed_records.value());
  add(Metric::kConsumedBytes, counters.consumed_bytes.value());
  const auto followed = consumers.find({hosted.spec.topic.name, hosted.spec.partition.value()});
  add(Metric::kConsumers, followed == consumers.end() ? 0 : followed->second.consumers);
  if (followed != consumers.end()) add(Metric::kConsumerLag, followed->second.lag_records);
}

void AddPartitions(Samples& samples, const broker::ReplicaHost& host,
                   const rpc::ConsumerLags& consumers) {
  std::map<std::string_view, uint64_t> roles = {
      {"leader", 0}, {"candidate", 0}, {"follower", 0}, {kClosed, 0}};
  uint64_t without_leader = 0;
  uint64_t damaged = 0;
  for (const auto& [hosted, status] : host.Statuses()) {
    ++roles[status.open ? RoleName(status.state) : kClosed];
    if (status.leader.value() == 0) ++without_leader;
    if (hosted->damaged()) ++damaged;
    if (samples.AdmitPartition()) AddPartition(samples, *hosted, status, consumers);
  }
  for (const auto& [role, count] : roles) samples.Add(Metric::kReplicas, count, {role});
  samples.Add(Metric::kReplicasWithoutLeader, without_leader);
  samples.Add(Metric::kReplicasDamaged, damaged);
}

void AddController(Samples& samples, const ReplicaStatus& status) {
  samples.Add(Metric::kControllerLeads, status.state == RaftState::kLeader ? 1.0 : 0.0);
  samples.Add(Metric::kControllerHasLeader, status.leader.value() != 0 ? 1.0 : 0.0);
  samples.Add(Metric::kControllerTerm, static_cast<double>(status.term.value()));
  samples.Add(Metric::kControllerCommitLag, Behind(status.last_index, status.commit_index));
}

void AddCounters(Samples& samples, const broker::NodeCounters& counters) {
  samples.Add(Metric::kProduceDuration, counters.produce_ns);
  samples.Add(Metric::kProduceInflight, counters.inflight_bytes.load());
  samples.Add(Metric::kAppendedRecords, counters.records_appended.load());
  samples.Add(Metric::kAppendedBytes, counters.bytes_appended.load());
  samples.Add(Metric::kDiskFull, counters.disk_full.load() ? 1.0 : 0.0);
  samples.Add(Metric::kFsyncDuration, counters.raft.sync_ns);
  samples.Add(Metric::kCommitGroup, counters.raft.group_entries);
  samples.Add(Metric::kElections, counters.raft.elections.value());
  samples.Add(Metric::kLeaderChanges, counters.raft.leader_changes.value());
  samples.Add(Metric::kSnapshotsSent, counters.raft.snapshots_sent.value());
  samples.Add(Metric::kSnapshotsReceived, counters.raft.snapshots_received.value());
}

void AddPeers(Samples& samples, const consensus::PeerCounters& counters) {
  samples.Add(Metric::kPeerMessagesSent, counters.messages_sent);
  samples.Add(Metric::kPeerMessagesReceived, counters.messages_received);
  samples.Add(Metric::kPeerMessagesRefused, counters.messages_refused);
  samples.Add(Metric::kPeerBytesSent, counters.bytes_sent);
  samples.Add(Metric::kPeerBytesReceived, counters.bytes_received);
  samples.Add(Metric::kPeerConnects, counters.connects);
  samples.Add(Metric::kPeerDisconnects, counters.disconnects);
  for (size_t i = 0; i < consensus::kPeerRejections; ++i) {
    samples.Add(Metric::kPeerRejections, counters.rejections[i],
                {ToString(static_cast<consensus::PeerRejection>(i))});
  }
}

}  // namespace

void AddNodeMetrics(Samples& samples, cluster::Node& node, const rpc::ConsumerLags& consumers) {
  AddPartitions(samples, node.host(), consumers);
  AddController(samples, node.ControllerStatus());
  AddCounters(samples, node.host().counters());
  AddPeers(samples, node.peer_counters());
  samples.Add(Metric::kTailCache, node.host().tail_cache()->used_bytes());
}

void AddGossipMetrics(Samples& samples, cluster::Membership& membership) {
  std::promise<absl::StatusOr<cluster::GossipState>> asked;
  membership.Count(
      [&](absl::StatusOr<cluster::GossipState> state) { asked.set_value(std::move(state)); });
  const auto state = asked.get_future().get();
  if (!state.ok()) return;  // stopping
  for (const auto& [which, count] : state->members) {
    samples.Add(Metric::kGossipMembers, count, {ToString(which.first), ToString(which.second)});
  }
  const std::pair<std::string_view, uint64_t> refused[] = {
      {"packet", state->swim.packets_refused},
      {"packet no key opens", state->swim.packets_unsealed},
      {"message", state->swim.messages_refused + state->serf.messages_refused},
      {"member", state->swim.members_refused},
      {"name conflict", state->swim.conflicts},
      {"relay", state->serf.relays_refused},
      {"connection", state->node.connections_refused},
      {"failed stream", state->node.streams_failed},
  };
  for (const auto& [reason, count] : refused) samples.Add(Metric::kGossipRefused, count, {reason});
  samples.Add(Metric::kGossipProbes, state->swim.probes);
  samples.Add(Metric::kGossipProbesFailed, state->swim.probes_failed);
}

void AddConnectionMetrics(Samples& samples, const rpc::MultiplexerCounters& counters,
                          uint64_t tls_refused) {
  samples.Add(Metric::kConnections, counters.connections);
  samples.Add(Metric::kConnectionsAccepted, counters.grpc, {"grpc"});
  samples.Add(Metric::kConnectionsAccepted, counters.http, {"http"});
  samples.Add(Metric::kConnectionsAccepted, counters.peer, {"peer"});
  const std::pair<std::string_view, uint64_t> refused[] = {
      {"limit", counters.refused_at_limit},
      {"plaintext", counters.plaintext_refused},
      {"unknown protocol", counters.unknown_protocol},
      {"malformed hello", counters.malformed_hello},
      {"timeout", counters.timed_out},
      {"disconnected", counters.disconnected},
      {"accept failed", counters.accept_failures},
      {"tls", tls_refused},
  };
  for (const auto& [reason, count] : refused) {
    samples.Add(Metric::kConnectionsRefused, count, {reason});
  }
}

void AddSecurityMetrics(Samples& samples, const SecurityFiles& files,
                        const security::AuditLog* audit) {
  samples.Add(Metric::kPolicyVersion,
              files.access() == nullptr ? uint64_t{0} : files.access()->version());
  samples.Add(Metric::kSecurityReloads, files.reloads());
  samples.Add(Metric::kSecurityReloadFailures, files.failures());
  if (files.tls() != nullptr) {
    const auto identity = files.tls()->Get();
    const auto add = [&](const auto& context, std::string_view name) {
      if (context == nullptr) return;
      samples.Add(Metric::kCertificateExpiry,
                  static_cast<double>(context->certificate().not_after_s), {name});
    };
    add(identity->clients, "server");
    add(identity->accept_peer, "peer");
  }
  if (audit == nullptr) return;
  const security::AuditCounters counters = audit->counters();
  samples.Add(Metric::kAuditWritten, counters.written);
  samples.Add(Metric::kAuditDropped, counters.dropped);
  samples.Add(Metric::kAuditFailures, counters.failures);
}

void AddLogMetrics(Samples& samples, const Logger& logger) {
  const env::LineCounters counters = logger.counters();
  samples.Add(Metric::kLogLinesWritten, counters.written);
  samples.Add(Metric::kLogLinesDropped, counters.dropped);
  samples.Add(Metric::kLogLineFailures, counters.failures);
}

}  // namespace cairn::server
