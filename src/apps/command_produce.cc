// cairn produce TOPIC: appends lines, blocks or JSON objects from a file or stdin.

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/interrupt.h"
#include "apps/record_json.h"
#include "apps/record_reader.h"
#include "apps/report.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cairn/producer.h"
#include "log/compression.h"

namespace cairn::apps {
namespace {

struct Flags {
  ClientFlags client;
  std::string topic;
  int32_t partition = -1;
  std::string key_separator;
  std::string file;
  size_t raw_bytes = 0;
  bool jsonl = false;
  std::string codec = "none";
  int64_t linger_ms = 5;
  size_t batch_bytes = 256 << 10;
  bool no_idempotence = false;
  std::string traceparent;
};

// Of the records only so many belong to the trace that is given: it is looked at whole.
constexpr uint64_t kMaxTracedRecords = 1000;

// What was acknowledged, counted on the library's threads.
struct Tally {
  std::atomic<uint64_t> acknowledged = 0;
  std::atomic<bool> failed = false;
  std::mutex mutex;
  absl::Status first_failure;  // guarded by mutex

  void Note(const BatchDelivery& batch) {
    if (batch.status.ok()) {
      acknowledged += batch.record_count;
      return;
    }
    std::lock_guard<std::mutex> lock(mutex);
    if (!failed) first_failure = batch.status;
    failed = true;
  }
};

// Turns the input into records, by the flags.
class Source {
 public:
  Source(const Flags& flags, int fd) : flags_(flags), reader_(fd) {}

  absl::StatusOr<bool> Next(Record& record) {
    std::string_view text;
    if (flags_.raw_bytes > 0) {
      CAIRN_ASSIGN_OR_RETURN(const bool more, reader_.NextBlock(flags_.raw_bytes, text));
      record.value = text;
      return more;
    }
    CAIRN_ASSIGN_OR_RETURN(const bool more, reader_.NextLine(text));
    if (!more) return false;
    ++line_;
    if (flags_.jsonl) {
      if (const absl::Status parsed = json_.Parse(text); !parsed.ok()) {
        return absl::DataLossError(
            base::StrCat("line ", line_, " of the input: ", base::StdView(parsed.message())));
      }
      record = json_.record();
      return true;
    }
    if (!flags_.key_separator.empty()) {
      const size_t at = text.find(flags_.key_separator);
      if (at == std::string_view::npos) {
        return absl::DataLossError(base::StrCat(
            "line ", line_, " of the input has no key separator '", flags_.key_separator, "'"));
      }
      record.key = text.substr(0, at);
      text.remove_prefix(at + flags_.key_separator.size());
    }
    record.value = text;
    return true;
  }

 private:
  const Flags& flags_;
  RecordReader reader_;
  JsonRecord json_;
  uint64_t line_ = 0;
};

void PrintSummary(const Flags& flags, uint64_t records, uint64_t bytes, double seconds) {
  const double per_second = seconds > 0 ? static_cast<double>(records) / seconds : 0;
  const double bytes_per_second = seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
  if (flags.client.output == OutputFormat::kJson) {
    std::cout << nlohmann::ordered_json{{"topic", flags.topic},
                                        {"records", records},
                                        {"bytes", bytes},
                                        {"seconds", seconds},
                                        {"records_per_second", per_second},
                                        {"bytes_per_second", bytes_per_second}}
                     .dump()
              << '\n';
    return;
  }
  char time[32];
  std::snprintf(time, sizeof(time), "%.3f s", seconds);
  std::cout << "produced " << WithCommas(records) << (records == 1 ? " record, " : " records, ")
            << HumanBytes(static_cast<double>(bytes)) << " in " << time << ": "
            << HumanCount(per_second) << " records/s, " << HumanBytes(bytes_per_second)
            << "/s, all on disk\n";
}

absl::StatusOr<ProducerOptions> MakeOptions(const Flags& flags, Tally& tally) {
  CAIRN_ASSIGN_OR_RETURN(const log::Codec codec, log::ParseCodec(flags.codec));
  return ProducerOptions{
      .topic = flags.topic,
      .partitioning = flags.partition >= 0 ? Partitioning::kFixed : Partitioning::kKeyHash,
      .partition = std::max(flags.partition, 0),
      .codec = static_cast<Codec>(codec),
      .linger_ms = flags.linger_ms,
      .batch_bytes = flags.batch_bytes,
      .idempotent = !flags.no_idempotence,
      .delivery_timeout_ms = static_cast<int64_t>(flags.client.timeout_s * 1000),
      .on_batch = [&tally](const BatchDelivery& batch) { tally.Note(batch); },
  };
}

// Everything of the input that could be read is on disk when it returns OK.
absl::Status ProduceAll(const Flags& flags, int fd) {
  CAIRN_ASSIGN_OR_RETURN(auto client, Connect(flags.client));
  Tally tally;
  CAIRN_ASSIGN_OR_RETURN(const ProducerOptions options, MakeOptions(flags, tally));
  CAIRN_ASSIGN_OR_RETURN(const auto producer, Producer::Create(std::move(client), options));

  Source source(flags, fd);
  Progress progress;
  const Stopwatch watch;
  uint64_t bytes = 0;
  absl::Status failure;
  Record record;
  const std::string traceparent = TraceparentOf(flags.traceparent);
  uint64_t records = 0;
  while (!tally.failed.load(std::memory_order_relaxed)) {
    const absl::StatusOr<bool> more = source.Next(record);
    failure = more.ok() ? absl::OkStatus() : more.status();
    if (!failure.ok() || !*more) break;
    record.traceparent = records++ < kMaxTracedRecords ? traceparent : std::string_view();
    failure = producer->Produce(record);
    if (!failure.ok()) break;
    bytes += (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
    if (progress.due()) {
      progress.Show(base::StrCat(
          WithCommas(tally.acknowledged), " records on disk, ",
          HumanCount(static_cast<double>(tally.acknowledged) / watch.seconds()), "/s"));
    }
  }
  const absl::Status flushed = producer->Close();
  if (failure.ok() && !flushed.ok()) failure = flushed;
  if (tally.failed) {
    std::lock_guard<std::mutex> lock(tally.mutex);
    failure = tally.first_failure;
  }
  if (failure.ok() && Interrupted()) failure = absl::CancelledError("interrupted");
  if (failure.ok()) {
    PrintSummary(flags, tally.acknowledged, bytes, watch.seconds());
    return failure;
  }
  absl::Status counted(failure.code(),
                       absl::StrCat(failure.message(), " (", tally.acknowledged.load(),
                                    " records before it are on disk)"));
  failure.ForEachPayload([&counted](absl::string_view url, const absl::Cord& payload) {
    counted.SetPayload(url, payload);
  });
  return counted;
}

int Run(const Flags& flags, const Chosen& chosen) {
  CatchInterrupts();
  int fd = STDIN_FILENO;
  if (!flags.file.empty() && flags.file != "-") {
    fd = open(flags.file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      return Fail(chosen, absl::ErrnoToStatus(errno, "cannot open '" + flags.file + "'"));
    }
  }
  const absl::Status status = ProduceAll(flags, fd);
  if (fd != STDIN_FILENO) close(fd);
  return status.ok() ? kDone : Fail(chosen, status);
}

}  // namespace

void AddProduceCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* command =
      app.add_subcommand("produce", "Append records to a topic: the lines of a file or of stdin");
  auto flags = std::make_shared<Flags>();
  command->add_option("TOPIC", flags->topic, "The topic")->required();
  command
      ->add_option("--partition", flags->partition,
                   "Append to this partition (default: by key, or batch by batch in turn)")
      ->type_name("P")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--file", flags->file, "Read this file instead of stdin")->type_name("FILE");
  CLI::Option* separator =
      command
          ->add_option("--key-separator", flags->key_separator,
                       "The key of a record is what stands before this in its line")
          ->type_name("TEXT");
  CLI::Option* raw =
      command
          ->add_option("--raw", flags->raw_bytes,
                       "Make each record of this many bytes of the input, not of a line")
          ->type_name("BYTES")
          ->check(CLI::Range(size_t{1}, kMaxLineBytes));
  CLI::Option* jsonl = command->add_flag("--jsonl", flags->jsonl,
                                         "Each line is a JSON object: key, value (or key_base64, "
                                         "value_base64), headers, timestamp_ms");
  raw->excludes(separator)->excludes(jsonl);
  jsonl->excludes(separator);
  command->add_option("--codec", flags->codec, "Compress batches: none, lz4 or zstd")
      ->type_name("CODEC")
      ->check(CLI::IsMember({"none", "lz4", "zstd"}))
      ->capture_default_str();
  command->add_option("--linger-ms", flags->linger_ms, "How long a record waits to share a batch")
      ->type_name("MS")
      ->check(CLI::Range(0, 60'000))
      ->capture_default_str();
  command->add_option("--batch-bytes", flags->batch_bytes, "Size at which a batch is sent")
      ->type_name("BYTES")
      ->capture_default_str();
  command->add_flag("--no-idempotence", flags->no_idempotence,
                    "Do not guard against storing a record twice when a batch is sent again");
  AddTraceparentFlag(*command, flags->traceparent);
  AddClientFlags(*command, flags->client);
  OnChosen(*command, chosen, flags->client.output,
           [flags, &chosen] { return Run(*flags, chosen); });
}

}  // namespace cairn::apps
