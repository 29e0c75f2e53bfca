#include "apps/bench_run.h"

#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cairn/admin.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kFloorSeconds = 2;

std::string Milliseconds(uint64_t ns) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f ms", static_cast<double>(ns) / 1e6);
  return text;
}

Json QuantilesMs(const client::Histogram& latency) {
  const auto ms = [&](double fraction) {
    return static_cast<double>(latency.Quantile(fraction)) / 1e6;
  };
  return {{"p50", ms(0.5)},
          {"p99", ms(0.99)},
          {"p99.9", ms(0.999)},
          {"max", static_cast<double>(latency.max_ns()) / 1e6}};
}

std::string Quantiles(const client::Histogram& latency) {
  return base::StrCat(
      "p50 ", Milliseconds(latency.Quantile(0.5)), ", p99 ", Milliseconds(latency.Quantile(0.99)),
      ", p99.9 ", Milliseconds(latency.Quantile(0.999)), ", max ", Milliseconds(latency.max_ns()));
}

struct Used {
  double cores = 0;
  uint64_t resident_bytes = 0;
};

std::optional<Used> UsedSince(const std::optional<ProcessUsage>& before, pid_t pid,
                              double seconds) {
  const auto now = UsageOf(pid);
  if (!before || !now.ok() || seconds <= 0) return std::nullopt;
  return Used{.cores = (now->cpu_seconds - before->cpu_seconds) / seconds,
              .resident_bytes = now->resident_bytes};
}

std::string UsedText(const std::optional<Used>& used) {
  if (!used) return "not visible from here (name it with --server-pid)";
  char text[64];
  std::snprintf(text, sizeof(text), "%.2f cores, %s resident", used->cores,
                HumanBytes(static_cast<double>(used->resident_bytes)).c_str());
  return text;
}

}  // namespace

void AddBenchFlags(CLI::App& command, BenchFlags& flags) {
  command
      .add_option("--topic", flags.topic,
                  "Work on this topic (default: one of its own, deleted at the end)")
      ->type_name("TOPIC");
  command.add_option("--partitions", flags.partitions, "Partitions of its own topic")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command.add_flag("--keep", flags.keep, "Do not delete its own topic");
  command.add_option("--record-bytes", flags.record_bytes, "Size of each record's value")
      ->type_name("BYTES")
      ->check(CLI::Range(size_t{0}, size_t{32} << 20))
      ->capture_default_str();
  command.add_option("--seconds", flags.seconds, "How long to measure")
      ->type_name("S")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  command
      .add_option("--records", flags.records, "Measure this many records, however long it takes")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--server-pid", flags.server_pid,
                  "The server's process (default: who listens on the port, on this machine)")
      ->type_name("PID");
  command.add_flag(
      "--floor", flags.floor,
      "Also measure, for 2 s, a bare loop of pwrite and fdatasync: of a batch each with "
      "the library, otherwise of 4 KiB");
  command
      .add_option("--data-dir", flags.data_dir,
                  "Where --floor writes: a file system as the server's")
      ->type_name("DIR")
      ->capture_default_str();
  AddClientFlags(command, flags.client);
}

absl::StatusOr<std::unique_ptr<BenchTopic>> BenchTopic::Open(std::shared_ptr<Client> client,
                                                             const BenchFlags& flags) {
  if (!flags.topic.empty()) {
    return std::unique_ptr<BenchTopic>(new BenchTopic(std::move(client), flags.topic, false));
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  std::string name = base::StrCat("bench-", getpid(), "-", now);
  CAIRN_RETURN_IF_ERROR(
      Admin(client).CreateTopic({.name = name, .partition_count = flags.partitions}).status());
  return std::unique_ptr<BenchTopic>(
      new BenchTopic(std::move(client), std::move(name), !flags.keep));
}

BenchTopic::~BenchTopic() {
  if (!remove_) return;
  if (const absl::Status status = Admin(client_).DeleteTopic(name_); !status.ok()) {
    std::cerr << "cairn bench: could not delete topic '" << name_ << "': " << status.message()
              << '\n';
  }
}

UsageMeter::UsageMeter(const BenchFlags& flags) : server_pid_(flags.server_pid) {
  if (const auto own = UsageOf(getpid()); own.ok()) client_ = *own;
  if (server_pid_ == 0) server_pid_ = ListenerOf(flags.client.address).value_or(0);
  if (server_pid_ == 0) return;
  if (const auto server = UsageOf(server_pid_); server.ok()) server_ = *server;
}

absl::Status UsageMeter::Print(const BenchFlags& flags, const BenchResult& result) const {
  const auto client = UsedSince(client_, getpid(), result.seconds);
  const auto server = UsedSince(server_, server_pid_, result.seconds);
  std::optional<FloorResult> floor;
  if (flags.floor) {
    CAIRN_ASSIGN_OR_RETURN(floor,
                           MeasureFloor(flags.data_dir, result.floor_write_bytes, kFloorSeconds));
  }
  const double rate = static_cast<double>(result.records) / result.seconds;
  const double bytes_rate = rate * static_cast<double>(result.record_bytes);

  if (flags.client.output == OutputFormat::kJson) {
    Json json = {{"what", result.what},
                 {"records", result.records},
                 {"record_bytes", result.record_bytes},
                 {"seconds", result.seconds},
                 {"records_per_second", rate},
                 {"bytes_per_second", bytes_rate},
                 {"batch", result.batch},
                 {"in_flight", result.in_flight},
                 {"connections", 1},
                 {"fsync", result.durable}};
    if (result.latency != nullptr && result.latency->count() > 0) {
      json["latency_of"] = result.latency_of;
      json["latency_ms"] = QuantilesMs(*result.latency);
    }
    const auto set_used = [&](const char* who, const std::optional<Used>& used) {
      if (used) json[who] = {{"cores", used->cores}, {"resident_bytes", used->resident_bytes}};
    };
    set_used("client", client);
    set_used("server", server);
    if (floor) {
      json["floor"] = {{"write_bytes", result.floor_write_bytes},
                       {"bytes_per_second", static_cast<double>(floor->bytes) / floor->seconds},
                       {"latency_ms", QuantilesMs(floor->latency)}};
    }
    std::cout << json.dump() << '\n';
    return absl::OkStatus();
  }
  char seconds[32];
  std::snprintf(seconds, sizeof(seconds), "%.2f s", result.seconds);
  std::cout << result.what << "\n  throughput   " << HumanCount(rate) << " records/s, "
            << HumanBytes(bytes_rate) << "/s (" << WithCommas(result.records) << " records in "
            << seconds << ")\n  payload      " << result.record_bytes << " bytes\n  batch        "
            << result.batch << "\n  in flight    " << result.in_flight
            << ", 1 connection\n  fsync        "
            << (result.durable ? "on: an answer means on disk" : "does not apply") << '\n';
  if (result.latency != nullptr && result.latency->count() > 0) {
    std::cout << "  latency      " << Quantiles(*result.latency) << " (" << result.latency_of
              << ")\n";
  }
  std::cout << "  client       " << UsedText(client) << "\n  server       " << UsedText(server)
            << '\n';
  if (floor) {
    std::cout << "  floor        pwrite + fdatasync of " << result.floor_write_bytes
              << " bytes: " << Quantiles(floor->latency) << ", "
              << HumanBytes(static_cast<double>(floor->bytes) / floor->seconds) << "/s\n";
  }
  return absl::OkStatus();
}

}  // namespace cairn::apps
