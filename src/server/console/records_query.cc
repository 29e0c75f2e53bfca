#include "server/console/records_query.h"

#include <array>
#include <limits>

#include "base/status_macros.h"
#include "base/strings.h"
#include "broker/topic.h"
#include "http/query.h"

namespace cairn::server {
namespace {

constexpr std::array<std::string_view, 7> kRecordsParameters = {
    "topic", "partition", "offset", "limit", "max_bytes", "cut", "wait_ms"};
constexpr int64_t kNanosecondsPerMs = 1'000'000;

absl::Status ReadOffset(const http::Query& query, RecordsQuery& to) {
  const std::string* text = query.Find("offset");
  if (text == nullptr || *text == "earliest") return absl::OkStatus();
  if (*text == "latest") {
    to.from = RecordsFrom::kLatest;
    return absl::OkStatus();
  }
  to.from = RecordsFrom::kOffset;
  const auto number = query.Number("offset", 0, 0, std::numeric_limits<int64_t>::max());
  if (!number.ok()) {
    return absl::InvalidArgumentError(
        base::StrCat(base::StdView(number.status().message()), R"(, or "earliest" or "latest")"));
  }
  to.offset = Offset(static_cast<uint64_t>(*number));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RecordsQuery> RecordsQuery::Parse(std::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(const http::Query query, http::Query::Parse(text, kRecordsParameters));
  RecordsQuery result;
  const std::string* topic = query.Find("topic");
  if (topic == nullptr) {
    return absl::InvalidArgumentError(
        "the query names no topic: /records.json?topic=NAME&partition=0&offset=earliest");
  }
  CAIRN_RETURN_IF_ERROR(broker::ValidateTopicName(*topic));
  result.topic = *topic;
  CAIRN_ASSIGN_OR_RETURN(const int64_t partition,
                         query.Number("partition", 0, 0, broker::kMaxPartitionsPerTopic - 1));
  result.partition = PartitionId(static_cast<int32_t>(partition));
  CAIRN_RETURN_IF_ERROR(ReadOffset(query, result));
  CAIRN_ASSIGN_OR_RETURN(const int64_t limit,
                         query.Number("limit", kRecordsShown, 1, kMaxRecordsShown));
  CAIRN_ASSIGN_OR_RETURN(const int64_t max_bytes,
                         query.Number("max_bytes", kAnswerBytes, 1, kMaxAnswerBytes));
  CAIRN_ASSIGN_OR_RETURN(const int64_t cut, query.Number("cut", kCutBytes, 0, kMaxAnswerBytes));
  CAIRN_ASSIGN_OR_RETURN(const int64_t wait_ms, query.Number("wait_ms", 0, 0, kMaxWaitMs));
  result.limit = static_cast<size_t>(limit);
  result.max_bytes = static_cast<size_t>(max_bytes);
  result.cut_bytes = static_cast<size_t>(cut);
  result.wait_ns = wait_ms * kNanosecondsPerMs;
  return result;
}

}  // namespace cairn::server
