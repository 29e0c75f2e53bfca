#include "apps/cluster_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/strings.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;
using telemetry::ParsedHistogram;
using telemetry::ParsedMetrics;
using telemetry::ParsedSample;

constexpr std::string_view kProducedRecords = "cairn_partition_produced_records_total";
constexpr std::string_view kProducedBytes = "cairn_partition_produced_bytes_total";
constexpr std::string_view kConsumedRecords = "cairn_partition_consumed_records_total";
constexpr std::string_view kConsumedBytes = "cairn_partition_consumed_bytes_total";
constexpr std::string_view kSize = "cairn_partition_size_bytes";
constexpr std::string_view kConsumers = "cairn_partition_consumers";
constexpr std::string_view kLag = "cairn_consumer_lag_records";
constexpr std::string_view kReady = "cairn_ready";
constexpr std::string_view kReplicas = "cairn_replicas";
constexpr std::string_view kCpu = "cairn_process_cpu_seconds_total";
constexpr std::string_view kMemory = "cairn_process_resident_memory_bytes";
constexpr std::string_view kConnections = "cairn_connections";
constexpr std::string_view kFsync = "cairn_fsync_duration_seconds";
constexpr std::string_view kProduce = "cairn_produce_duration_seconds";
constexpr std::string_view kLeftOut = "cairn_metrics_partitions_left_out_total";
constexpr std::array kMetrics = {
    kProducedRecords, kProducedBytes, kConsumedRecords, kConsumedBytes, kSize,
    kConsumers,       kLag,           kReady,           kReplicas,      kCpu,
    kMemory,          kConnections,   kFsync,           kProduce,       kLeftOut};

using PartitionName = std::pair<std::string, std::string>;  // topic, number
using ByPartition = std::map<PartitionName, double>;

ByPartition PerPartition(const ParsedMetrics& metrics, std::string_view name) {
  ByPartition values;
  for (const ParsedSample& sample : metrics.of(name)) {
    values[{std::string(sample.label("topic")), std::string(sample.label("partition"))}] =
        sample.value;
  }
  return values;
}

double Grown(double before, double now) { return now >= before ? now - before : now; }

void AddTo(std::optional<double>& sum, std::optional<double> value) {
  if (value) sum = sum.value_or(0) + *value;
}
void AddTo(Rates& sum, const Rates& rates) {
  AddTo(sum.in_records, rates.in_records);
  AddTo(sum.in_bytes, rates.in_bytes);
  AddTo(sum.out_records, rates.out_records);
  AddTo(sum.out_bytes, rates.out_bytes);
}

// One node at two times.
class NodeChange {
 public:
  // Without `before`, or without its metrics, nothing is known of rates.
  NodeChange(const NodeSample* before, const NodeSample& now) : now_(*now.metrics) {
    if (before == nullptr || !before->metrics.ok() || now.at_s <= before->at_s) return;
    before_ = &*before->metrics;
    seconds_ = now.at_s - before->at_s;
  }

  std::optional<double> RateOf(std::string_view name) const {
    const auto value = now_.Value(name);
    if (before_ == nullptr || !value) return std::nullopt;
    return Grown(before_->Value(name).value_or(0), *value) / seconds_;
  }

  std::optional<double> Quantile(std::string_view name, double q) const {
    const auto now = now_.Histogram(name);
    if (before_ == nullptr || !now) return std::nullopt;
    const auto before = before_->Histogram(name);
    return QuantileSince(before ? &*before : nullptr, *now, q);
  }

  // What each partition adds, to whom `rates` finds for it.
  template <typename RatesOf>
  void AddRates(RatesOf rates) const {
    if (before_ == nullptr) return;
    const std::pair<std::string_view, std::optional<double> Rates::*> counters[] = {
        {kProducedRecords, &Rates::in_records},
        {kProducedBytes, &Rates::in_bytes},
        {kConsumedRecords, &Rates::out_records},
        {kConsumedBytes, &Rates::out_bytes}};
    for (const auto& [name, member] : counters) {
      const ByPartition before = PerPartition(*before_, name);
      for (const auto& [partition, value] : PerPartition(now_, name)) {
        const auto found = before.find(partition);
        // A replica that was not there began at 0.
        const double grown = Grown(found == before.end() ? 0 : found->second, value);
        if (Rates* to = rates(partition)) AddTo(to->*member, grown / seconds_);
      }
    }
  }

 private:
  const ParsedMetrics& now_;
  const ParsedMetrics* before_ = nullptr;
  double seconds_ = 0;
};

std::string StateOf(const NodeInfo& node, bool ready) {
  switch (node.state) {
    case NodeState::kDraining:
      return "draining";
    case NodeState::kDead:
      return "dead";
    case NodeState::kActive:
      break;
  }
  return ready ? "active" : "not ready";
}

NodeRow MakeNode(const NodeInfo& node, const NodeSample* before, const NodeSample& now) {
  NodeRow row{.id = node.id, .name = node.name};
  if (!now.metrics.ok()) {
    row.state = node.state == NodeState::kDead ? "dead" : "no answer";
    row.error = std::string(base::StdView(now.metrics.status().message()));
    return row;
  }
  const ParsedMetrics& metrics = *now.metrics;
  row.well = metrics.Value(kReady) == 1.0;
  row.state = StateOf(node, row.well);
  const auto replicas = [&](std::string_view role) {
    return metrics.Value(kReplicas, "role", role).value_or(0);
  };
  row.leaders = replicas("leader");
  row.followers = replicas("follower") + replicas("candidate");
  row.closed = replicas("closed");
  row.memory_bytes = metrics.Value(kMemory);
  row.connections = metrics.Value(kConnections);
  const NodeChange change(before, now);
  if (const auto cpu = change.RateOf(kCpu)) row.cpu_percent = 100 * *cpu;
  row.fsync_p99_s = change.Quantile(kFsync, 0.99);
  row.produce_p50_s = change.Quantile(kProduce, 0.5);
  row.produce_p99_s = change.Quantile(kProduce, 0.99);
  change.AddRates([&](const PartitionName&) { return &row.rates; });
  return row;
}

const NodeSample* Find(const ClusterSample* sample, int32_t node) {
  if (sample == nullptr) return nullptr;
  const auto found = sample->nodes.find(node);
  return found == sample->nodes.end() ? nullptr : &found->second;
}

// The largest of each partition's values on all nodes that answer.
ByPartition Largest(const ClusterSample& sample, std::string_view name) {
  ByPartition largest;
  for (const auto& [id, node] : sample.nodes) {
    if (!node.metrics.ok()) continue;
    for (const auto& [partition, value] : PerPartition(*node.metrics, name)) {
      const auto [at, fresh] = largest.emplace(partition, value);
      if (!fresh) at->second = std::max(at->second, value);
    }
  }
  return largest;
}

std::map<std::string, TopicRow> MakeTopics(const ClusterSample* before, const ClusterSample& now) {
  std::map<std::string, TopicRow> topics;
  for (const PartitionStateInfo& partition : now.cluster.partitions) {
    TopicRow& row = topics[partition.topic];
    row.name = partition.topic;
    ++row.partitions;
    if (partition.leader == 0) ++row.without_leader;
    if (partition.leader != 0) ++row.leaders[partition.leader];
    if (partition.under_replicated) ++row.under_replicated;
  }
  // One that the controller does not know (any more) has no row.
  const auto row_of = [&](const PartitionName& partition) -> TopicRow* {
    const auto found = topics.find(partition.first);
    return found == topics.end() ? nullptr : &found->second;
  };
  for (const auto& [id, node] : now.nodes) {
    if (!node.metrics.ok()) continue;
    NodeChange(Find(before, id), node).AddRates([&](const PartitionName& partition) {
      TopicRow* row = row_of(partition);
      return row == nullptr ? nullptr : &row->rates;
    });
    for (const auto& [partition, value] : PerPartition(*node.metrics, kConsumers)) {
      if (TopicRow* row = row_of(partition)) row->consumers += value;
    }
  }
  for (const auto& [partition, value] : Largest(now, kSize)) {
    if (TopicRow* row = row_of(partition)) row->size_bytes += value;
  }
  for (const auto& [partition, value] : Largest(now, kLag)) {
    if (TopicRow* row = row_of(partition)) AddTo(row->lag_records, value);
  }
  return topics;
}

Json ToJson(std::optional<double> value) { return value ? Json(*value) : Json(nullptr); }
Json ToJson(const Rates& rates) {
  return {{"in_records_per_s", ToJson(rates.in_records)},
          {"in_bytes_per_s", ToJson(rates.in_bytes)},
          {"out_records_per_s", ToJson(rates.out_records)},
          {"out_bytes_per_s", ToJson(rates.out_bytes)}};
}

Json ToJson(const NodeRow& node) {
  Json json = {
      {"id", node.id}, {"name", node.name}, {"state", node.state}, {"controller", node.controller}};
  if (!node.error.empty()) {
    json["error"] = node.error;
    return json;
  }
  json["ready"] = node.well;
  json["leaders"] = node.leaders;
  json["followers"] = node.followers;
  json["closed"] = node.closed;
  json["cpu_percent"] = ToJson(node.cpu_percent);
  json["memory_bytes"] = ToJson(node.memory_bytes);
  json["connections"] = ToJson(node.connections);
  json["fsync_p99_s"] = ToJson(node.fsync_p99_s);
  json["produce_p50_s"] = ToJson(node.produce_p50_s);
  json["produce_p99_s"] = ToJson(node.produce_p99_s);
  json.update(ToJson(node.rates));
  return json;
}

Json ToJson(const TopicRow& topic) {
  Json leaders = Json::object();
  for (const auto& [node, count] : topic.leaders) leaders[std::to_string(node)] = count;
  Json json = {{"name", topic.name},
               {"partitions", topic.partitions},
               {"without_leader", topic.without_leader},
               {"under_replicated", topic.under_replicated},
               {"leaders", leaders},
               {"size_bytes", topic.size_bytes},
               {"consumers", topic.consumers},
               {"lag_records", ToJson(topic.lag_records)}};
  json.update(ToJson(topic.rates));
  return json;
}

}  // namespace

std::span<const std::string_view> ViewMetrics() { return kMetrics; }

std::optional<double> QuantileSince(const ParsedHistogram* before, const ParsedHistogram& now,
                                    double q) {
  std::vector<std::pair<double, double>> grown = now.buckets;
  const bool goes_on =
      before != nullptr && before->buckets.size() == grown.size() && before->count() <= now.count();
  if (goes_on) {
    for (size_t i = 0; i < grown.size(); ++i) grown[i].second -= before->buckets[i].second;
  }
  const double total = grown.empty() ? 0 : grown.back().second;
  if (total <= 0) return std::nullopt;
  const double rank = q * total;
  double lower_bound = 0;
  double lower_count = 0;
  for (const auto& [bound, count] : grown) {
    if (count >= rank && count > lower_count) {
      if (std::isinf(bound)) return lower_bound;  // nothing is known above
      return lower_bound + (bound - lower_bound) * (rank - lower_count) / (count - lower_count);
    }
    lower_bound = bound;
    lower_count = count;
  }
  return lower_bound;
}

ClusterView MakeView(const ClusterSample* before, const ClusterSample& now) {
  ClusterView view{.time_ms = now.time_ms,
                   .cluster_id = now.cluster.id,
                   .controller = now.cluster.controller,
                   .partitions = now.cluster.partitions.size()};
  for (const NodeInfo& node : now.cluster.nodes) {
    const NodeSample* sample = Find(&now, node.id);
    NodeRow row = MakeNode(node, Find(before, node.id), sample == nullptr ? NodeSample() : *sample);
    row.controller = node.id == now.cluster.controller;
    AddTo(view.rates, row.rates);
    if (sample != nullptr && sample->metrics.ok()) {
      view.incomplete |= sample->metrics->Value(kLeftOut).value_or(0) > 0;
    }
    view.nodes.push_back(std::move(row));
  }
  for (auto& [name, topic] : MakeTopics(before, now)) {
    view.under_replicated += topic.under_replicated;
    view.topics.push_back(std::move(topic));
  }
  if (now.waits.ok()) {
    view.waits = *now.waits;
  } else {
    view.waits_error = std::string(base::StdView(now.waits.status().message()));
  }
  return view;
}

void SortTopics(std::vector<TopicRow>& topics, SortKey key) {
  const auto number = [key](const TopicRow& topic) -> double {
    switch (key) {
      case SortKey::kIn:
        return topic.rates.in_records.value_or(0);
      case SortKey::kOut:
        return topic.rates.out_records.value_or(0);
      case SortKey::kSize:
        return topic.size_bytes;
      case SortKey::kLag:
        return topic.lag_records.value_or(-1);
      case SortKey::kName:
        break;
    }
    return 0;
  };
  std::sort(topics.begin(), topics.end(), [&](const TopicRow& a, const TopicRow& b) {
    const double x = number(a);
    const double y = number(b);
    return x != y ? x > y : a.name < b.name;
  });
}

Json ToJson(const ClusterView& view) {
  size_t ready = 0;
  for (const NodeRow& node : view.nodes) ready += node.well ? 1 : 0;
  Json json = {{"time_ms", view.time_ms},       {"cluster_id", view.cluster_id},
               {"controller", view.controller}, {"nodes_ready", ready},
               {"partitions", view.partitions}, {"under_replicated", view.under_replicated},
               {"incomplete", view.incomplete}};
  json.update(ToJson(view.rates));
  json["waits"] = Json::array();
  for (const WaitInfo& wait : view.waits) {
    json["waits"].push_back({{"about", wait.about}, {"why", wait.why}});
  }
  if (!view.waits_error.empty()) json["waits_error"] = view.waits_error;
  json["nodes"] = Json::array();
  for (const NodeRow& node : view.nodes) json["nodes"].push_back(ToJson(node));
  json["topics"] = Json::array();
  for (const TopicRow& topic : view.topics) json["topics"].push_back(ToJson(topic));
  return json;
}

}  // namespace cairn::apps
