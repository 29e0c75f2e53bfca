// Between ProduceRequest / ProduceResponse and what the broker takes and gives.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "broker/partition.h"
#include "log/batch.h"
#include "log/v1/log.pb.h"

namespace cairn::rpc {

// `topic` as a request names it: "" means the default topic.
std::string_view TopicName(std::string_view topic);

struct ProduceInput {
  log::Batch batch;
  std::optional<Offset> expected_offset;
};

// The batch that `request` asks to append; moves a ready-made batch's bytes out of it. `now_ms`
// becomes the timestamp of records that bring none. Errors: INVALID_ARGUMENT with reason
// EMPTY_BATCH (none of record, records, batch is set) or MALFORMED_BATCH (several are, an unknown
// codec, a wrong records_crc, producer numbers out of range). The records section of a ready-made
// batch is validated later, by Partition::Produce.
absl::StatusOr<ProduceInput> ReadProduceRequest(logapi::v1::ProduceRequest& request,
                                                int64_t now_ms);

void WriteProduceResponse(const broker::ProduceResult& result,
                          logapi::v1::ProduceResponse& response);

}  // namespace cairn::rpc
