// cairn bench produce|consume|latency: measures a running server.

#include <algorithm>
#include <iostream>
#include <memory>
#include <mutex>

#include "apps/bench_run.h"
#include "apps/command.h"
#include "apps/interrupt.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cairn/consumer.h"
#include "cairn/producer.h"
#include "client/rpc_load.h"
#include "log/compression.h"

namespace cairn::apps {
namespace {

using client::LoadKind;

struct ProduceFlags {
  BenchFlags bench;
  std::string mode = "library";
  int in_flight = 0;  // 0: 16 batches, or 64 requests
  size_t batch_bytes = 256 << 10;
  int64_t linger_ms = 5;
  std::string codec = "none";
};

// How often the produce loop looks at the clock.
constexpr uint64_t kClockEvery = 256;

absl::Status ProduceByLibrary(const ProduceFlags& flags) {
  CAIRN_ASSIGN_OR_RETURN(const log::Codec codec, log::ParseCodec(flags.codec));
  CAIRN_ASSIGN_OR_RETURN(auto client, Connect(flags.bench.client));
  CAIRN_ASSIGN_OR_RETURN(const auto topic, BenchTopic::Open(client, flags.bench));
  std::mutex mutex;
  client::Histogram latency;  // guarded by mutex
  uint64_t batches = 0;       // guarded by mutex
  uint64_t acknowledged = 0;  // guarded by mutex
  const int in_flight = flags.in_flight > 0 ? flags.in_flight : 16;
  CAIRN_ASSIGN_OR_RETURN(
      const auto producer,
      Producer::Create(std::move(client), {.topic = topic->name(),
                                           .codec = static_cast<Codec>(codec),
                                           .linger_ms = flags.linger_ms,
                                           .batch_bytes = flags.batch_bytes,
                                           .max_in_flight = in_flight,
                                           .on_batch = [&](const BatchDelivery& batch) {
                                             std::lock_guard<std::mutex> lock(mutex);
                                             latency.Add(static_cast<uint64_t>(batch.latency_us) *
                                                         1000);
                                             ++batches;
                                             if (batch.status.ok())
                                               acknowledged += batch.record_count;
                                           }}));
  const std::string value(flags.bench.record_bytes, 'x');
  const UsageMeter meter(flags.bench);
  const Stopwatch watch;
  for (uint64_t i = 0; flags.bench.records == 0 || i < flags.bench.records; ++i) {
    CAIRN_RETURN_IF_ERROR(producer->Produce({.value = value}));
    if (i % kClockEvery != 0) continue;
    if (Interrupted()) break;
    if (flags.bench.records == 0 && watch.seconds() >= flags.bench.seconds) break;
  }
  CAIRN_RETURN_IF_ERROR(producer->Flush());
  const double seconds = watch.seconds();
  std::lock_guard<std::mutex> lock(mutex);
  return meter.Print(flags.bench, {.what = "produce by the client library, single records",
                                   .records = acknowledged,
                                   .record_bytes = flags.bench.record_bytes,
                                   .seconds = seconds,
                                   .batch = base::StrCat(
                                       "up to ", flags.batch_bytes, " bytes or ", flags.linger_ms,
                                       " ms, ", batches == 0 ? 0 : acknowledged / batches,
                                       " records on average, codec ", flags.codec),
                                   .in_flight = in_flight,
                                   .latency = &latency,
                                   .latency_of = "batch: first record handed over to acknowledged",
                                   .floor_write_bytes = flags.batch_bytes});
}

absl::Status ProduceByRpc(const ProduceFlags& flags, LoadKind kind) {
  CAIRN_ASSIGN_OR_RETURN(auto client, Connect(flags.bench.client));
  CAIRN_ASSIGN_OR_RETURN(const auto topic, BenchTopic::Open(client, flags.bench));
  const int in_flight = flags.in_flight > 0 ? flags.in_flight : 64;
  const UsageMeter meter(flags.bench);
  CAIRN_ASSIGN_OR_RETURN(
      const client::LoadResult load,
      client::RunLoad(*client, {.kind = kind,
                                .topic = topic->name(),
                                .record_bytes = flags.bench.record_bytes,
                                .in_flight = in_flight,
                                .requests = flags.bench.records,
                                .seconds = flags.bench.records > 0 ? 0 : flags.bench.seconds}));
  const char* what = kind == LoadKind::kStream
                         ? "produce by one ProduceStream, one record per request"
                     : kind == LoadKind::kUnary ? "produce by unary Produce, one record per request"
                                                : "empty unary RPC (GetServers)";
  return meter.Print(flags.bench,
                     {.what = what,
                      .records = load.requests,
                      .record_bytes = kind == LoadKind::kEmpty ? 0 : flags.bench.record_bytes,
                      .seconds = load.seconds,
                      .batch = "1 record",
                      .in_flight = in_flight,
                      .durable = kind != LoadKind::kEmpty,
                      .latency = &load.latency,
                      .latency_of = "request: sent to answered"});
}

absl::Status BenchProduce(const ProduceFlags& flags) {
  if (flags.mode == "library") return ProduceByLibrary(flags);
  return ProduceByRpc(flags, flags.mode == "stream"  ? LoadKind::kStream
                             : flags.mode == "unary" ? LoadKind::kUnary
                                                     : LoadKind::kEmpty);
}

// Fills a topic of its own, when the flags name none, and reads it whole.
absl::Status BenchConsume(const BenchFlags& flags) {
  CAIRN_ASSIGN_OR_RETURN(auto client, Connect(flags.client));
  CAIRN_ASSIGN_OR_RETURN(const auto topic, BenchTopic::Open(client, flags));
  constexpr uint64_t kDefaultRecords = 5'000'000;
  const uint64_t wanted = flags.records > 0 ? flags.records : kDefaultRecords;
  if (flags.topic.empty()) {
    CAIRN_ASSIGN_OR_RETURN(
        const auto producer,
        Producer::Create(client, {.topic = topic->name(), .partitioning = Partitioning::kFixed}));
    const std::string value(flags.record_bytes, 'x');
    for (uint64_t i = 0; i < wanted && !Interrupted(); ++i) {
      CAIRN_RETURN_IF_ERROR(producer->Produce({.value = value}));
    }
    CAIRN_RETURN_IF_ERROR(producer->Close());
  }
  CAIRN_ASSIGN_OR_RETURN(const auto consumer,
                         Consumer::Create(client, {.topic = topic->name(), .stop_at_end = true}));
  const UsageMeter meter(flags);
  const Stopwatch watch;
  uint64_t records = 0;
  uint64_t bytes = 0;
  ConsumedRecord record;
  while (flags.records == 0 || records < flags.records) {
    const Consumer::Result result = consumer->Next(record);
    if (result == Consumer::Result::kError) return consumer->status();
    if (result != Consumer::Result::kRecord) break;
    ++records;
    bytes += record.value ? record.value->size() : 0;
  }
  return meter.Print(flags, {.what = "consume by the client library, one partition, in order",
                             .records = records,
                             .record_bytes = records == 0 ? 0 : bytes / records,
                             .seconds = watch.seconds(),
                             .batch = "as stored",
                             .in_flight = 1,
                             .durable = false});
}

// One request at a time: what a caller waits for, beside an empty call and the bare disk.
absl::Status BenchLatency(const BenchFlags& flags) {
  ProduceFlags one{.bench = flags, .mode = "empty", .in_flight = 1};
  one.bench.floor = false;
  CAIRN_RETURN_IF_ERROR(BenchProduce(one));
  one.bench = flags;
  one.mode = "unary";
  return BenchProduce(one);
}

template <typename Flags>
void Finish(CLI::App& command, Chosen& chosen, const std::shared_ptr<Flags>& flags,
            const BenchFlags& bench, absl::Status (*work)(const Flags&)) {
  OnChosen(command, chosen, bench.client.output, [flags, &chosen, work] {
    CatchInterrupts();
    const absl::Status status = work(*flags);
    return status.ok() ? kDone : Fail(chosen, status);
  });
}

}  // namespace

void AddBenchCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* bench = app.add_subcommand("bench", "Measure a running server");
  bench->require_subcommand(1);

  CLI::App* produce = bench->add_subcommand("produce", "How many records per second go in");
  auto produce_flags = std::make_shared<ProduceFlags>();
  produce
      ->add_option(
          "--mode", produce_flags->mode,
          "library: the client library's producer; stream: one ProduceStream; unary: single "
          "calls; empty: calls that do nothing, for comparison")
      ->type_name("MODE")
      ->check(CLI::IsMember({"library", "stream", "unary", "empty"}))
      ->capture_default_str();
  produce
      ->add_option("--in-flight", produce_flags->in_flight,
                   "Batches (library: 16) or requests (others: 64) without an answer")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  produce
      ->add_option("--batch-bytes", produce_flags->batch_bytes,
                   "library: size at which a batch is sent")
      ->type_name("BYTES")
      ->capture_default_str();
  produce->add_option("--linger-ms", produce_flags->linger_ms, "library: how long a record waits")
      ->type_name("MS")
      ->capture_default_str();
  produce->add_option("--codec", produce_flags->codec, "library: none, lz4 or zstd")
      ->type_name("CODEC")
      ->check(CLI::IsMember({"none", "lz4", "zstd"}))
      ->capture_default_str();
  AddBenchFlags(*produce, produce_flags->bench);
  Finish(*produce, chosen, produce_flags, produce_flags->bench, &BenchProduce);

  CLI::App* consume = bench->add_subcommand(
      "consume", "How many records per second come out; without --topic it produces 5 M first");
  auto consume_flags = std::make_shared<BenchFlags>();
  AddBenchFlags(*consume, *consume_flags);
  Finish(*consume, chosen, consume_flags, *consume_flags, &BenchConsume);

  CLI::App* latency = bench->add_subcommand(
      "latency", "How long one record takes, one at a time, and an empty call");
  auto latency_flags = std::make_shared<BenchFlags>();
  AddBenchFlags(*latency, *latency_flags);
  Finish(*latency, chosen, latency_flags, *latency_flags, &BenchLatency);
}

}  // namespace cairn::apps
