// One node of a cluster as a client sees it: calls to that node alone, which do not follow leaders.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cairn/v1/admin.grpc.pb.h"
#include "log/v1/log.grpc.pb.h"
#include "process/history.h"

namespace cairn::testing {

// Thread-safe. No call takes much longer than its timeout.
class NodeClient {
 public:
  static constexpr std::chrono::milliseconds kTimeout{5'000};

  explicit NodeClient(const std::string& address);

  absl::StatusOr<logapi::v1::ProduceResponse> Produce(const logapi::v1::ProduceRequest& request,
                                                      std::chrono::milliseconds timeout = kTimeout);
  // Up to `max_records` from `offset` on, with the high watermark; none at the end of the log.
  absl::StatusOr<logapi::v1::ConsumeResponse> Consume(const std::string& topic, uint64_t offset,
                                                      uint32_t max_records = 1000);
  // All below the node's high watermark.
  absl::StatusOr<ReplicaContent> ReadAll(const std::string& name, const std::string& topic);
  absl::StatusOr<std::vector<logapi::v1::Server>> Servers();
  absl::StatusOr<int64_t> AllocateProducerId();
  absl::Status CreateTopic(const std::string& name, int32_t replication_factor);

  logapi::v1::Log::Stub& log() { return *log_; }

 private:
  const std::string address_;
  std::unique_ptr<logapi::v1::Log::Stub> log_;
  std::unique_ptr<cairn::v1::Admin::Stub> admin_;
};

}  // namespace cairn::testing
