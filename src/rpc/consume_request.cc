#include "rpc/consume_request.h"

#include <algorithm>

#include "base/strings.h"
#include "rpc/limits.h"
#include "rpc/produce_codec.h"

namespace cairn::rpc {
namespace {

absl::StatusOr<StartAt> ReadStart(logapi::v1::StartPosition start) {
  switch (start) {
    case logapi::v1::START_POSITION_UNSPECIFIED:
      return StartAt::kOffset;
    case logapi::v1::START_POSITION_EARLIEST:
      return StartAt::kEarliest;
    case logapi::v1::START_POSITION_LATEST:
      return StartAt::kLatest;
    case logapi::v1::START_POSITION_TIMESTAMP:
      return StartAt::kTimestamp;
    default:
      return absl::InvalidArgumentError(
          base::StrCat("start position ", static_cast<int>(start), " is not known"));
  }
}

}  // namespace

absl::StatusOr<ConsumeInput> ReadConsumeRequest(const logapi::v1::ConsumeRequest& request) {
  const auto start = ReadStart(request.start());
  if (!start.ok()) return start.status();
  if (request.consistency() != logapi::v1::CONSISTENCY_UNSPECIFIED &&
      request.consistency() != logapi::v1::CONSISTENCY_LINEARIZABLE) {
    return absl::InvalidArgumentError(
        base::StrCat("consistency ", static_cast<int>(request.consistency()), " is not known"));
  }
  if (request.as_batches() && request.max_records() != 0) {
    return absl::InvalidArgumentError(
        "max_records counts records of a response; with as_batches use max_bytes");
  }
  ConsumeInput input;
  input.topic = TopicName(request.topic());
  input.requested_topic = request.topic();
  input.partition = PartitionId(request.partition());
  input.start = *start;
  input.offset = Offset(request.offset());
  input.timestamp_ms = request.timestamp_ms();
  input.mode = request.as_batches()         ? ConsumeMode::kBatches
               : request.max_records() != 0 ? ConsumeMode::kRecords
                                            : ConsumeMode::kSingleRecord;
  input.max_records = std::max<size_t>(1, request.max_records());
  input.max_bytes = request.max_bytes() == 0
                        ? kDefaultResponseBytes
                        : std::min<size_t>(request.max_bytes(), kMaxResponseBytes);
  input.stop_at_end = request.stop_at_end();
  input.linearizable = request.consistency() == logapi::v1::CONSISTENCY_LINEARIZABLE;
  return input;
}

}  // namespace cairn::rpc
