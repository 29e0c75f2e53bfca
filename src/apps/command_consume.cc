// cairn consume TOPIC: prints records, in order.

#include <unistd.h>

#include <atomic>
#include <iostream>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "apps/command.h"
#include "apps/interrupt.h"
#include "apps/output_writer.h"
#include "apps/record_json.h"
#include "apps/report.h"
#include "apps/start_position.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cairn/admin.h"
#include "cairn/consumer.h"

namespace cairn::apps {
namespace {

enum class RecordFormat { kValue, kJson, kRaw };

struct Flags {
  ClientFlags client;
  std::string topic;
  int32_t partition = -1;
  std::string from = "earliest";
  uint64_t count = std::numeric_limits<uint64_t>::max();
  bool follow = false;
  bool linearizable = false;
  std::string format = "value";
  std::string key_separator;
  std::string traceparent;
};

// How long a consumer may sleep before it looks for interrupts again.
constexpr int64_t kLookMs = 200;
// Each partition that is followed takes a thread.
constexpr int32_t kMaxFollowed = 256;

class Printer {
 public:
  Printer(const Flags& flags, bool show_partition)
      : flags_(flags),
        format_(flags.format == "json"  ? RecordFormat::kJson
                : flags.format == "raw" ? RecordFormat::kRaw
                                        : RecordFormat::kValue),
        show_partition_(show_partition) {}

  void Append(const ConsumedRecord& record, int32_t partition, std::string& out) const {
    if (format_ == RecordFormat::kJson) {
      AppendJson(record, show_partition_ ? partition : -1, out);
      return;
    }
    if (!flags_.key_separator.empty()) {
      if (record.key) out.append(*record.key);
      out.append(flags_.key_separator);
    }
    if (record.value) out.append(*record.value);
    if (format_ == RecordFormat::kValue) out += '\n';
  }

 private:
  const Flags& flags_;
  const RecordFormat format_;
  const bool show_partition_;
};

// Reads partitions and prints them; `printed` counts over all of them.
class Reader {
 public:
  Reader(const Flags& flags, std::shared_ptr<Client> client, StartAt start, bool show_partition)
      : flags_(flags), client_(std::move(client)), start_(start), printer_(flags, show_partition) {}

  absl::Status Read(int32_t partition) {
    CAIRN_ASSIGN_OR_RETURN(
        const auto consumer,
        Consumer::Create(client_, {.topic = flags_.topic,
                                   .partition = partition,
                                   .start = start_,
                                   .stop_at_end = !flags_.follow,
                                   .linearizable = flags_.linearizable,
                                   .traceparent = TraceparentOf(flags_.traceparent)}));
    OutputBuffer out(output_);
    ConsumedRecord record;
    while (!Interrupted() && !stop_.load(std::memory_order_relaxed)) {
      const Consumer::Result result = consumer->Next(record, kLookMs);
      if (result == Consumer::Result::kRecord) {
        const uint64_t before = printed_.fetch_add(1, std::memory_order_relaxed);
        if (before >= flags_.count) break;
        printer_.Append(record, partition, out.text());
        if (before + 1 == flags_.count) break;
        // Flushed when a lot has gathered, and before anything that may wait.
        if (out.full() || !consumer->ready()) CAIRN_RETURN_IF_ERROR(out.Flush());
      } else if (result == Consumer::Result::kEnd) {
        break;
      } else if (result == Consumer::Result::kError) {
        CAIRN_RETURN_IF_ERROR(out.Flush());
        return consumer->status();
      }
    }
    return out.Flush();
  }

  bool done() const { return printed_ >= flags_.count || Interrupted(); }
  void Stop() { stop_ = true; }

 private:
  const Flags& flags_;
  const std::shared_ptr<Client> client_;
  const StartAt start_;
  const Printer printer_;
  SharedOutput output_{STDOUT_FILENO};
  std::atomic<uint64_t> printed_ = 0;
  std::atomic<bool> stop_ = false;
};

absl::Status ReadInTurn(Reader& reader, const std::vector<int32_t>& partitions) {
  for (const int32_t partition : partitions) {
    if (reader.done()) break;
    CAIRN_RETURN_IF_ERROR(reader.Read(partition));
  }
  return absl::OkStatus();
}

absl::Status Follow(Reader& reader, const std::vector<int32_t>& partitions) {
  std::vector<absl::Status> results(partitions.size());
  std::vector<std::thread> threads;
  threads.reserve(partitions.size());
  for (size_t i = 0; i < partitions.size(); ++i) {
    threads.emplace_back([&, i] {
      results[i] = reader.Read(partitions[i]);
      if (!results[i].ok() || reader.done()) reader.Stop();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) CAIRN_RETURN_IF_ERROR(result);
  return absl::OkStatus();
}

absl::Status Consume(const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(const StartAt start, ParseStartAt(flags.from));
  CAIRN_ASSIGN_OR_RETURN(auto client, Connect(flags.client));
  std::vector<int32_t> partitions = {flags.partition};
  if (flags.partition < 0) {
    CAIRN_ASSIGN_OR_RETURN(const TopicInfo topic, Admin(client).DescribeTopic(flags.topic));
    partitions.clear();
    for (int32_t i = 0; i < topic.partition_count; ++i) partitions.push_back(i);
  }
  if (flags.follow && partitions.size() > kMaxFollowed) {
    return absl::InvalidArgumentError(
        base::StrCat("the topic has ", partitions.size(), " partitions; up to ", kMaxFollowed,
                     " can be followed at once, name one with --partition"));
  }
  Reader reader(flags, std::move(client), start, partitions.size() > 1);
  if (!flags.follow || partitions.size() == 1) return ReadInTurn(reader, partitions);
  return Follow(reader, partitions);
}

}  // namespace

void AddConsumeCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("consume", "Print the records of a topic, in order");
  auto flags = std::make_shared<Flags>();
  command->add_option("TOPIC", flags->topic, "The topic")->required();
  command
      ->add_option(
          "--partition", flags->partition,
          "Read this partition (default: all; one after the other, or side by side with --follow)")
      ->type_name("P")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option(
          "--from", flags->from,
          "Where to start: earliest, latest, an offset, or a time (RFC 3339, or milliseconds "
          "since the Unix epoch as in 1795341600000ms)")
      ->type_name("POSITION")
      ->capture_default_str();
  command->add_option("--count", flags->count, "Stop after this many records")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->default_str("all");
  command->add_flag("--follow", flags->follow, "At the end, wait for more, until interrupted");
  command
      ->add_option(
          "--format", flags->format,
          "value: each value and a newline; json: one object per line; raw: the bytes of the "
          "values alone")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"value", "json", "raw"}))
      ->capture_default_str();
  command
      ->add_option("--key-separator", flags->key_separator,
                   "Print the key and this before each value (not with json)")
      ->type_name("TEXT");
  command->add_flag("--linearizable", flags->linearizable,
                    "Read nothing older than any append acknowledged before");
  AddTraceparentFlag(*command, flags->traceparent);
  AddClientFlags(*command, flags->client);
  OnChosen(*command, chosen, flags->client.output, [flags, &chosen] {
    CatchInterrupts();
    const absl::Status status = Consume(*flags);
    // A reader that closed the pipe has what it wanted.
    if (status.ok() || (absl::IsCancelled(status))) return kDone;
    return Fail(chosen, status);
  });
}

}  // namespace cairn::apps
