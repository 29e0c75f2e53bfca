#include "apps/start_position.h"

#include <charconv>
#include <string>

#include "absl/time/time.h"
#include "base/strings.h"

namespace cairn::apps {
namespace {

bool ParseInteger(std::string_view text, int64_t& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && value >= 0;
}

}  // namespace

absl::StatusOr<StartAt> ParseStartAt(std::string_view text) {
  if (text == "earliest") return StartAt::Earliest();
  if (text == "latest") return StartAt::Latest();
  int64_t number = 0;
  if (ParseInteger(text, number)) return StartAt::Offset(static_cast<uint64_t>(number));
  if (text.size() > 2 && text.substr(text.size() - 2) == "ms" &&
      ParseInteger(text.substr(0, text.size() - 2), number)) {
    return StartAt::Timestamp(number);
  }
  absl::Time time;
  if (absl::ParseTime(absl::RFC3339_full, base::AbslView(text), &time, nullptr)) {
    return StartAt::Timestamp(absl::ToUnixMillis(time));
  }
  return absl::InvalidArgumentError(base::StrCat(
      "--from '", text, "' is none of: earliest, latest, an offset as in 42, a time as in ",
      "2026-11-22T10:00:00Z or 1795341600000ms"));
}

}  // namespace cairn::apps
