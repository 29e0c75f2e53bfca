// What the bench commands share: flags, the topic they work on, what they measure beside the rate,
// how they print it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "apps/bench_floor.h"
#include "apps/command.h"
#include "apps/process_usage.h"
#include "apps/report.h"
#include "client/histogram.h"

namespace cairn::apps {

struct BenchFlags {
  ClientFlags client = {};
  std::string topic = {};  // empty: one of its own, deleted at the end
  int32_t partitions = 1;
  bool keep = false;
  size_t record_bytes = 100;
  double seconds = 5;
  uint64_t records = 0;  // instead of seconds
  int server_pid = 0;
  bool floor = false;
  std::string data_dir = ".";
};

void AddBenchFlags(CLI::App& command, BenchFlags& flags);

// What was measured, in the order in which it is printed.
struct BenchResult {
  std::string what = {};  // "produce, client library"
  uint64_t records = 0;
  uint64_t record_bytes = 0;
  double seconds = 0;
  std::string batch = {};  // how records were batched, in words
  int in_flight = 0;
  bool durable = true;  // whether each answer stands for an fdatasync
  const client::Histogram* latency = nullptr;
  std::string latency_of = {};      // what it is the latency of
  size_t floor_write_bytes = 4096;  // what the bare loop appends each time
};

// The topic of a run: created at the beginning when the flags name none, deleted at the end.
class BenchTopic {
 public:
  static absl::StatusOr<std::unique_ptr<BenchTopic>> Open(std::shared_ptr<Client> client,
                                                          const BenchFlags& flags);
  ~BenchTopic();
  const std::string& name() const { return name_; }

 private:
  BenchTopic(std::shared_ptr<Client> client, std::string name, bool remove)
      : client_(std::move(client)), name_(std::move(name)), remove_(remove) {}

  const std::shared_ptr<Client> client_;
  const std::string name_;
  const bool remove_;
};

// CPU and memory of this process and, where it can be seen, of the server, over the life of the
// meter.
class UsageMeter {
 public:
  explicit UsageMeter(const BenchFlags& flags);
  // Prints `result` with what was used since the construction, and the floor when the flags ask for
  // it.
  absl::Status Print(const BenchFlags& flags, const BenchResult& result) const;

 private:
  std::optional<ProcessUsage> client_;
  std::optional<ProcessUsage> server_;
  pid_t server_pid_ = 0;
};

}  // namespace cairn::apps
