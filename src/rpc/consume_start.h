// Where a consumer begins, and the errors that a fetch can bring it.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "broker/partition.h"
#include "rpc/consume_request.h"

namespace cairn::rpc {

// The offset `input` starts from. Blocking for a timestamp. Errors: as
// Partition::OffsetForTimestamp.
absl::StatusOr<Offset> ResolveStart(const ConsumeInput& input, broker::Partition& partition);

// OUT_OF_RANGE with the valid range, as Partition::Fetch reports it.
absl::Status OutOfRange(Offset offset, const broker::Partition& partition);

}  // namespace cairn::rpc
