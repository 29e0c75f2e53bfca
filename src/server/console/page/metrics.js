// The text of /metrics (Prometheus, version 0.0.4) as numbers, and what two of them say about the
// time between.

const kUnescaped = { "\\\\": "\\", '\\"': '"', "\\n": "\n" };

function parseLabels(text) {
  const labels = {};
  for (const [, name, value] of text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name] = value.replace(/\\./g, (escape) => kUnescaped[escape] ?? escape);
  }
  return labels;
}

// The series of the metrics in `wanted`, as Map(name → [{labels, value}]). A histogram's are those
// of its _bucket.
export function parseMetrics(text, wanted) {
  const metrics = new Map();
  for (const line of text.split("\n")) {
    if (line === "" || line[0] === "#") continue;
    const brace = line.indexOf("{");
    const space = line.lastIndexOf(" ");
    const name = line.slice(0, brace < 0 ? space : brace);
    if (!wanted.has(name)) continue;
    const labels = brace < 0 ? {} : parseLabels(line.slice(brace + 1, line.lastIndexOf("}")));
    if (!metrics.has(name)) metrics.set(name, []);
    metrics.get(name).push({ labels, value: Number(line.slice(space + 1)) });
  }
  return metrics;
}

export const partitionKey = ({ topic, partition }) => `${topic}/${partition}`;

// The sum of a metric's series, or of those that `take` takes; null when the metric is not there.
export function sum(metrics, name, take = () => true) {
  const series = metrics.get(name);
  if (series === undefined) return null;
  return series.reduce((total, { labels, value }) => (take(labels) ? total + value : total), 0);
}

// Map(upper bound → observations up to it) of a histogram, whatever its other labels.
export function buckets(metrics, name) {
  const result = new Map();
  for (const { labels, value } of metrics.get(name + "_bucket") ?? []) {
    const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
    result.set(bound, (result.get(bound) ?? 0) + value);
  }
  return result;
}

// What was counted between two readings of a counter; a process that began anew counts from 0.
export const growth = (before, now) => (now == null ? null : now >= (before ?? now) ? now - (before ?? now) : now);

// As histogram_quantile of Prometheus: linear within the bucket. null without observations.
export function quantile(counts, q) {
  const sorted = [...counts].sort(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const rank = q * total;
  let [lower, below] = [0, 0];
  for (const [bound, upTo] of sorted) {
    if (upTo >= rank) {
      if (bound === Infinity) return lower;
      return lower + ((bound - lower) * (rank - below)) / Math.max(upTo - below, 1e-9);
    }
    [lower, below] = [bound, upTo];
  }
  return lower;
}

const kCounters = ["cairn_partition_produced_records_total", "cairn_partition_produced_bytes_total",
  "cairn_partition_consumed_records_total", "cairn_partition_consumed_bytes_total"];
const kGauges = ["cairn_partition_high_watermark", "cairn_partition_log_start", "cairn_partition_size_bytes",
  "cairn_raft_follower_lag_entries", "cairn_consumer_lag_records"];
const kHistograms = ["cairn_produce_duration_seconds", "cairn_fsync_duration_seconds"];
const kRequests = "cairn_rpc_requests_total";
const kMemory = "cairn_process_resident_memory_bytes";
const kWanted = new Set([...kCounters, ...kGauges, ...kHistograms.map((name) => name + "_bucket"), kRequests, kMemory,
  "cairn_connections"]);

// What ended otherwise, but for what clients do on purpose.
const isError = ({ code }) => code !== "OK" && code !== "CANCELLED";

// The readings of one node, of which the last two count.
class NodeMetrics {
  take(text, nowMs) {
    this.before = this.now;
    this.now = { metrics: parseMetrics(text, kWanted), ms: nowMs };
  }

  get seconds() {
    return this.before === undefined ? 0 : (this.now.ms - this.before.ms) / 1000;
  }

  rate(name, take) {
    if (this.seconds <= 0) return null;
    const grown = growth(sum(this.before.metrics, name, take), sum(this.now.metrics, name, take));
    return grown === null ? null : grown / this.seconds;
  }

  grownBuckets(name) {
    if (this.seconds <= 0) return new Map();
    const before = buckets(this.before.metrics, name);
    return new Map([...buckets(this.now.metrics, name)].map(([bound, n]) => [bound, growth(before.get(bound), n)]));
  }

  partitionRates(name) {
    if (this.seconds <= 0) return [];
    const before = new Map((this.before.metrics.get(name) ?? []).map((one) => [partitionKey(one.labels), one.value]));
    return (this.now.metrics.get(name) ?? []).map(({ labels, value }) => {
      const key = partitionKey(labels);
      return [key, growth(before.get(key), value) / this.seconds];
    });
  }
}

const add = (a, b) => (a == null ? b : b == null ? a : a + b);

// The readings of all nodes that could be read.
export class ClusterMetrics {
  nodes = new Map();

  take(node, text, nowMs) {
    if (!this.nodes.has(node)) this.nodes.set(node, new NodeMetrics());
    this.nodes.get(node).take(text, nowMs);
  }

  keepOnly(nodes) {
    for (const node of this.nodes.keys()) if (!nodes.has(node)) this.nodes.delete(node);
  }

  rate(name, take) {
    return [...this.nodes.values()].reduce((total, node) => add(total, node.rate(name, take)), null);
  }

  quantile(name, q, nodes = this.nodes.values()) {
    const total = new Map();
    for (const node of nodes) {
      for (const [bound, n] of node.grownBuckets(name)) total.set(bound, (total.get(bound) ?? 0) + n);
    }
    return quantile(total, q);
  }

  // What the charts show now; null: not known.
  summary() {
    const [produce, fsync] = kHistograms;
    return {
      inRecords: this.rate(kCounters[0]),
      inBytes: this.rate(kCounters[1]),
      outRecords: this.rate(kCounters[2]),
      outBytes: this.rate(kCounters[3]),
      produceP50: this.quantile(produce, 0.5),
      produceP99: this.quantile(produce, 0.99),
      fsyncP99: this.quantile(fsync, 0.99),
      errors: this.rate(kRequests, isError),
      lag: [...this.nodes.values()].reduce((total, node) => add(total, sum(node.now.metrics, kGauges[3])), null),
    };
  }

  ofNode(id) {
    const node = this.nodes.get(id);
    if (node === undefined) return {};
    return {
      inRecords: node.rate(kCounters[0]),
      outRecords: node.rate(kCounters[2]),
      fsyncP99: this.quantile(kHistograms[1], 0.99, [node]),
      memory: sum(node.now.metrics, kMemory),
      connections: sum(node.now.metrics, "cairn_connections"),
    };
  }

  // Map("topic/partition" → what is known of it). Rates are of all nodes together; of offsets, sizes
  // and lags the largest counts, which is the leader's.
  partitions() {
    const result = new Map();
    const at = (key) => result.get(key) ?? result.set(key, {}).get(key);
    const fields = { inRecords: kCounters[0], outRecords: kCounters[2] };
    const gauges = { highWatermark: kGauges[0], logStart: kGauges[1], size: kGauges[2], followerLag: kGauges[3], consumerLag: kGauges[4] };
    for (const node of this.nodes.values()) {
      for (const [field, name] of Object.entries(fields)) {
        for (const [key, rate] of node.partitionRates(name)) at(key)[field] = add(at(key)[field], rate);
      }
      for (const [field, name] of Object.entries(gauges)) {
        for (const { labels, value } of node.now.metrics.get(name) ?? []) {
          const row = at(partitionKey(labels));
          row[field] = Math.max(row[field] ?? 0, value);
        }
      }
    }
    return result;
  }
}
