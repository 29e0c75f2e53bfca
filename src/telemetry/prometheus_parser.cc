#include "telemetry/prometheus_parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::telemetry {
namespace {

bool IsDigit(char letter) { return letter >= '0' && letter <= '9'; }
bool IsLetter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_';
}

// One line with a sample, from left to right.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) {}

  absl::Status Read(std::string& name, ParsedSample& sample) {
    CAIRN_ASSIGN_OR_RETURN(name, Name("the name of a metric", /*colons=*/true));
    SkipBlanks();
    if (Take('{')) CAIRN_RETURN_IF_ERROR(Labels(sample));
    CAIRN_ASSIGN_OR_RETURN(sample.value, Number());
    return Timestamp();
  }

 private:
  static absl::Status Wanted(std::string_view what) {
    return absl::InvalidArgumentError(base::StrCat("expected ", what));
  }

  void SkipBlanks() {
    const size_t at = std::min(rest_.find_first_not_of(" \t"), rest_.size());
    rest_.remove_prefix(at);
  }
  bool Take(char letter) {
    if (rest_.empty() || rest_.front() != letter) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view TakeWord() {
    SkipBlanks();
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t"));
    rest_.remove_prefix(word.size());
    return word;
  }

  absl::StatusOr<std::string> Name(std::string_view what, bool colons) {
    SkipBlanks();
    size_t size = 0;
    while (size < rest_.size() && (IsLetter(rest_[size]) || (colons && rest_[size] == ':') ||
                                   (size > 0 && IsDigit(rest_[size])))) {
      ++size;
    }
    if (size == 0) return Wanted(what);
    std::string name(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return name;
  }

  absl::Status Labels(ParsedSample& sample) {
    for (;;) {
      SkipBlanks();
      if (Take('}')) return absl::OkStatus();
      if (sample.labels.size() == kMaxLabels) {
        return absl::InvalidArgumentError(base::StrCat("more than ", kMaxLabels, " labels"));
      }
      CAIRN_ASSIGN_OR_RETURN(std::string name, Name("the name of a label, or '}'", false));
      SkipBlanks();
      if (!Take('=')) return Wanted("'=' behind the name of a label");
      SkipBlanks();
      CAIRN_ASSIGN_OR_RETURN(std::string value, Quoted());
      sample.labels.emplace_back(std::move(name), std::move(value));
      SkipBlanks();
      if (Take(',')) continue;
      if (!Take('}')) return Wanted("',' or '}' behind a label");
      return absl::OkStatus();
    }
  }

  absl::StatusOr<std::string> Quoted() {
    if (!Take('"')) return Wanted("the value of a label in quotes");
    std::string value;
    while (!rest_.empty()) {
      const char letter = rest_.front();
      rest_.remove_prefix(1);
      if (letter == '"') return value;
      if (letter != '\\') {
        value += letter;
        continue;
      }
      if (rest_.empty()) break;
      const char escaped = rest_.front();
      rest_.remove_prefix(1);
      if (escaped != 'n' && escaped != '"' && escaped != '\\') {
        return Wanted("n, a quote or a backslash behind a backslash");
      }
      value += escaped == 'n' ? '\n' : escaped;
    }
    return Wanted("a quote at the end of a label's value");
  }

  absl::StatusOr<double> Number() {
    std::string_view word = TakeWord();
    const bool plus = word.starts_with('+');
    if (plus) word.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error == std::errc::result_out_of_range && end == word.data() + word.size()) {
      return Wanted("a number that fits 64 bits");
    }
    if (error != std::errc() || end != word.data() + word.size() ||
        (plus && word.starts_with('-'))) {
      return Wanted("a number, NaN, +Inf or -Inf");
    }
    return value;
  }

  absl::Status Timestamp() {
    const std::string_view word = TakeWord();
    int64_t ms = 0;
    if (!word.empty()) {
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), ms);
      if (error != std::errc() || end != word.data() + word.size()) {
        return Wanted("a time in milliseconds, or nothing, behind the value");
      }
    }
    SkipBlanks();
    return rest_.empty() ? absl::OkStatus() : Wanted("the end of the line");
  }

  std::string_view rest_;
};

double BoundOf(std::string_view le) {
  if (le == "+Inf") return std::numeric_limits<double>::infinity();
  double bound = 0;
  const auto [end, error] = std::from_chars(le.data(), le.data() + le.size(), bound);
  const bool whole = error == std::errc() && end == le.data() + le.size();
  return whole ? bound : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::string_view ParsedSample::label(std::string_view name) const {
  for (const auto& [key, text] : labels) {
    if (key == name) return text;
  }
  return {};
}

absl::StatusOr<ParsedMetrics> ParsedMetrics::Parse(std::string_view text) {
  if (text.size() > kMaxMetricsTextBytes) {
    return absl::InvalidArgumentError(
        base::StrCat("metrics of ", text.size(), " bytes are more than ", kMaxMetricsTextBytes));
  }
  ParsedMetrics metrics;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty() || line.front() == '#') continue;
    std::string name;
    ParsedSample sample;
    const absl::Status read =
        line.size() > kMaxMetricsLineBytes
            ? absl::InvalidArgumentError(base::StrCat("more than ", kMaxMetricsLineBytes, " bytes"))
            : LineReader(line).Read(name, sample);
    if (metrics.size_ == kMaxMetricsSamples) {
      return absl::InvalidArgumentError(base::StrCat("more than ", kMaxMetricsSamples, " metrics"));
    }
    if (!read.ok()) {
      return absl::InvalidArgumentError(
          base::StrCat("line ", number, " of the metrics: ", base::StdView(read.message())));
    }
    metrics.samples_[std::move(name)].push_back(std::move(sample));
    ++metrics.size_;
  }
  return metrics;
}

const std::vector<ParsedSample>& ParsedMetrics::of(std::string_view name) const {
  static const std::vector<ParsedSample> kNone;
  const auto found = samples_.find(name);
  return found == samples_.end() ? kNone : found->second;
}

std::optional<double> ParsedMetrics::Value(std::string_view name, std::string_view label,
                                           std::string_view value) const {
  for (const ParsedSample& sample : of(name)) {
    if (label.empty() || sample.label(label) == value) return sample.value;
  }
  return std::nullopt;
}

std::optional<ParsedHistogram> ParsedMetrics::Histogram(std::string_view name) const {
  std::map<double, double> counts;
  for (const ParsedSample& sample : of(base::StrCat(name, "_bucket"))) {
    const double bound = BoundOf(sample.label("le"));
    if (std::isnan(bound) || std::isnan(sample.value)) return std::nullopt;
    counts[bound] += sample.value;
  }
  if (counts.empty() || !std::isinf(counts.rbegin()->first)) return std::nullopt;
  ParsedHistogram histogram{.buckets = {counts.begin(), counts.end()}};
  const auto falls = [](const auto& a, const auto& b) { return b.second < a.second; };
  if (std::adjacent_find(histogram.buckets.begin(), histogram.buckets.end(), falls) !=
      histogram.buckets.end()) {
    return std::nullopt;
  }
  for (const ParsedSample& sample : of(base::StrCat(name, "_sum"))) histogram.sum += sample.value;
  return histogram;
}

}  // namespace cairn::telemetry
