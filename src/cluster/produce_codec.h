// A produce request that one node forwards to another, as bytes, and its answer.
//
// Little-endian: group (8), expected offset (8; all ones: none), record count (4), codec (1; and
// 0x80 when it is traced), base and max timestamp (8 each), producer id (8), epoch (2), base
// sequence (4), when it is traced the context (25, base/trace_context.h), records (the rest). The
// answer: base offset (8), timestamp (8), duplicate (1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "broker/partition.h"
#include "log/batch.h"

namespace cairn::cluster {

struct ForwardedProduce {
  GroupId group;
  std::optional<Offset> expected_offset;
  log::Batch batch;
};

std::string Encode(const ForwardedProduce& produce);
// Errors: INVALID_ARGUMENT for bytes that Encode does not write. The records are not looked at.
absl::StatusOr<ForwardedProduce> DecodeForwardedProduce(std::string_view bytes);

std::string Encode(const broker::ProduceResult& result);
absl::StatusOr<broker::ProduceResult> DecodeProduceResult(std::string_view bytes);

}  // namespace cairn::cluster
