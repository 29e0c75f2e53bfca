#include "rpc/consume_start.h"

#include "base/error_info.h"
#include "base/strings.h"

namespace cairn::rpc {

absl::StatusOr<Offset> ResolveStart(const ConsumeInput& input, broker::Partition& partition) {
  switch (input.start) {
    case StartAt::kOffset:
      return input.offset;
    case StartAt::kEarliest:
      return partition.log_start();
    case StartAt::kLatest:
      return partition.high_watermark();
    case StartAt::kTimestamp:
      return partition.OffsetForTimestamp(input.timestamp_ms);
  }
  return absl::InternalError("no such start");
}

absl::Status OutOfRange(Offset offset, const broker::Partition& partition) {
  const std::string start = base::StrCat(partition.log_start().value());
  const std::string end = base::StrCat(partition.high_watermark().value());
  return base::MakeError(
      absl::StatusCode::kOutOfRange,
      base::StrCat("offset ", offset.value(), " is outside of the log, which holds [", start, ", ",
                   end, ")"),
      base::reason::kOffsetOutOfRange, {{"log_start", start}, {"high_watermark", end}});
}

}  // namespace cairn::rpc
