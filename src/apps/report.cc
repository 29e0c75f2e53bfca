#include "apps/report.h"

#include <unistd.h>

#include <cstdio>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace cairn::apps {
namespace {

constexpr auto kProgressInterval = std::chrono::milliseconds(200);

std::string Human(double value, const char* unit) {
  const char* const prefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t prefix = 0;
  while (value >= 999.5 && prefix + 1 < std::size(prefixes)) {
    value /= 1000;
    ++prefix;
  }
  char text[48];
  const int digits = value >= 99.95 || (prefix == 0 && value == static_cast<int>(value)) ? 0
                     : value >= 9.995                                                    ? 1
                                                                                         : 2;
  std::snprintf(text, sizeof(text), "%.*f %s%s", digits, value, prefixes[prefix], unit);
  std::string result = text;
  if (result.back() == ' ') result.pop_back();
  return result;
}

}  // namespace

std::string WithCommas(uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string HumanSeconds(double seconds) {
  constexpr double kMillisecond = 1e-3;
  if (seconds < 0.9995 * kMillisecond) return Human(seconds * 1e6, "us");
  if (seconds < 0.9995) return Human(seconds / kMillisecond, "ms");
  return Human(seconds, "s");
}

std::string HumanBytes(double bytes) { return Human(bytes, "B"); }
std::string HumanCount(double count) { return Human(count, ""); }

std::string Rfc3339(int64_t timestamp_ms) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(timestamp_ms),
                          absl::UTCTimeZone());
}

Progress::Progress()
    : on_terminal_(isatty(STDERR_FILENO) == 1), last_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

bool Progress::due() {
  if (!on_terminal_) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < kProgressInterval) return false;
  last_ = now;
  return true;
}

void Progress::Show(const std::string& text) {
  shown_ = true;
  std::fprintf(stderr, "\r%s\x1b[K", text.c_str());
}

}  // namespace cairn::apps
