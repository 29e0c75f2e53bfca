// What a program can act on in an error: a reason in UPPER_SNAKE_CASE and named values, carried
// inside an absl::Status. The rpc layer turns it into google.rpc.ErrorInfo (domain "cairn"), the
// client library back.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace cairn::base {

struct ErrorInfo {
  std::string reason;
  std::map<std::string, std::string> metadata;

  friend bool operator==(const ErrorInfo&, const ErrorInfo&) = default;
};

// The reasons cairn uses. Adding one is an API change: document it in docs/errors.md.
namespace reason {
inline constexpr std::string_view kUnknownTopic = "UNKNOWN_TOPIC";
inline constexpr std::string_view kUnknownPartition = "UNKNOWN_PARTITION";
inline constexpr std::string_view kTopicExists = "TOPIC_EXISTS";
inline constexpr std::string_view kInvalidTopicName = "INVALID_TOPIC_NAME";
inline constexpr std::string_view kOffsetOutOfRange =
    "OFFSET_OUT_OF_RANGE";  // log_start, high_watermark
inline constexpr std::string_view kRecordTooLarge = "RECORD_TOO_LARGE";  // limit_bytes, size_bytes
inline constexpr std::string_view kBatchTooLarge = "BATCH_TOO_LARGE";    // limit_bytes, size_bytes
inline constexpr std::string_view kEmptyBatch = "EMPTY_BATCH";
inline constexpr std::string_view kMalformedBatch = "MALFORMED_BATCH";
inline constexpr std::string_view kUnexpectedOffset =
    "UNEXPECTED_OFFSET";  // expected_offset, actual_offset
inline constexpr std::string_view kOutOfOrderSequence =
    "OUT_OF_ORDER_SEQUENCE";  // expected_sequence, sequence
inline constexpr std::string_view kStaleProducerEpoch =
    "STALE_PRODUCER_EPOCH";  // current_epoch, epoch
inline constexpr std::string_view kUnknownProducer = "UNKNOWN_PRODUCER";
inline constexpr std::string_view kDuplicateSequence =
    "DUPLICATE_SEQUENCE";  // older than the window
inline constexpr std::string_view kDiskFull = "DISK_FULL";
inline constexpr std::string_view kDiskFailed = "DISK_FAILED";
inline constexpr std::string_view kDamagedLog = "DAMAGED_LOG";  // file, position, expected, found
inline constexpr std::string_view kOverloaded = "OVERLOADED";
inline constexpr std::string_view kShuttingDown = "SHUTTING_DOWN";
inline constexpr std::string_view kNotLeader = "NOT_LEADER";          // leader_id, leader_addr
inline constexpr std::string_view kClusterExists = "CLUSTER_EXISTS";  // cluster_id, offered_id
inline constexpr std::string_view kNodeNameTaken =
    "NODE_NAME_TAKEN";  // name, node_id, holder_uuid, uuid
inline constexpr std::string_view kNodeRemoved = "NODE_REMOVED";          // node_id
inline constexpr std::string_view kNodeInUse = "NODE_IN_USE";             // node_id
inline constexpr std::string_view kUnknownNode = "UNKNOWN_NODE";          // node_id
inline constexpr std::string_view kNodeUnreachable = "NODE_UNREACHABLE";  // node_id
inline constexpr std::string_view kNoIdentity = "NO_IDENTITY";
inline constexpr std::string_view kNotPermitted = "NOT_PERMITTED";  // subject, action, object
inline constexpr std::string_view kNotAReplica = "NOT_A_REPLICA";   // replicas
}  // namespace reason

// `status` with `info` attached (replacing what it carried). `status` must not be OK.
absl::Status WithErrorInfo(absl::Status status, const ErrorInfo& info);

// Shorthand: absl::Status(code, message) that carries {reason, metadata}.
absl::Status MakeError(absl::StatusCode code, std::string_view message, std::string_view reason,
                       std::map<std::string, std::string> metadata = {});

// What WithErrorInfo attached, or nullopt.
std::optional<ErrorInfo> GetErrorInfo(const absl::Status& status);

}  // namespace cairn::base
