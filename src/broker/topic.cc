#include "broker/topic.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "base/error_info.h"
#include "base/strings.h"
#include "log/entry.h"
#include "log/log.h"

namespace cairn::broker {
namespace {

absl::Status CheckRange(std::string_view name, int64_t value, int64_t low, int64_t high,
                        bool minus_one_keeps_all = false) {
  if ((value >= low && value <= high) || (minus_one_keeps_all && value == -1)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(base::StrCat(name, " is ", value, ", expected ", low, " to ",
                                                 high,
                                                 minus_one_keeps_all ? ", or -1 to keep all" : ""));
}

}  // namespace

absl::Status ValidateTopicName(std::string_view name) {
  const auto legal = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  if (!name.empty() && name.size() <= kMaxTopicNameBytes && name != "." && name != ".." &&
      std::all_of(name.begin(), name.end(), legal)) {
    return absl::OkStatus();
  }
  // A hostile name may be long: show enough of it to recognise.
  constexpr size_t kShownBytes = 64;
  const std::string shown = absl::CHexEscape(std::string(name.substr(0, kShownBytes)));
  return base::MakeError(
      absl::StatusCode::kInvalidArgument,
      base::StrCat("\"", shown, name.size() > kShownBytes ? "…" : "", "\" (", name.size(),
                   " bytes) is not a topic name: use 1 to ", kMaxTopicNameBytes,
                   " of the letters, digits, '.', '_' and '-', other than \".\" and \"..\""),
      base::reason::kInvalidTopicName);
}

absl::Status ValidateTopicSettings(const TopicSettings& settings) {
  for (const absl::Status& status : {
           CheckRange("retention_bytes", settings.retention_bytes, 0, INT64_MAX, true),
           CheckRange("retention_ms", settings.retention_ms, 0, INT64_MAX, true),
           CheckRange("segment_bytes", settings.segment_bytes, kMinTopicSegmentBytes,
                      log::kMaxSegmentBytes),
           CheckRange("segment_ms", settings.segment_ms, 1, INT64_MAX),
           CheckRange("max_record_bytes", settings.max_record_bytes, 1, log::kMaxBodyBytes / 2),
           CheckRange("max_batch_bytes", settings.max_batch_bytes, 1, log::kMaxBodyBytes / 2),
       }) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

TopicSettings Apply(TopicSettings settings, const TopicSettingsChange& change) {
  settings.retention_bytes = change.retention_bytes.value_or(settings.retention_bytes);
  settings.retention_ms = change.retention_ms.value_or(settings.retention_ms);
  settings.segment_bytes = change.segment_bytes.value_or(settings.segment_bytes);
  settings.segment_ms = change.segment_ms.value_or(settings.segment_ms);
  settings.max_record_bytes = change.max_record_bytes.value_or(settings.max_record_bytes);
  settings.max_batch_bytes = change.max_batch_bytes.value_or(settings.max_batch_bytes);
  return settings;
}

}  // namespace cairn::broker
