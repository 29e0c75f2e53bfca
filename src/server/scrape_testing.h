// For tests: what GET /metrics answered, as numbers by series.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

#include "telemetry/metric_table.h"

namespace cairn::server {

class Scrape {
 public:
  // `answer` is the whole HTTP answer.
  explicit Scrape(const std::string& answer) {
    EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 200 OK\r\n"));
    if (!answer.starts_with("HTTP/1.1 200 OK\r\n")) return;
    const size_t body = answer.find("\r\n\r\n");
    head_ = answer.substr(0, body);
    text_ = answer.substr(body + 4);
    std::istringstream lines(text_);
    for (std::string line; std::getline(lines, line);) {
      const size_t space = line.rfind(' ');
      if (line.empty() || line.front() == '#' || space == std::string::npos) continue;
      values_[line.substr(0, space)] = std::stod(line.substr(space + 1));
    }
  }

  const std::string& head() const { return head_; }
  const std::string& text() const { return text_; }
  bool Has(const std::string& series) const { return values_.contains(series); }
  // Of `name{label="value",...}`; a series that is not there counts as 0.
  double operator[](const std::string& series) const {
    const auto found = values_.find(series);
    return found == values_.end() ? 0 : found->second;
  }
  // Whether any series of the metric is there.
  bool Shows(const telemetry::MetricSpec& metric) const {
    const std::string name(metric.name);
    const std::string kind(ToString(metric.kind));
    if (text_.find("# TYPE " + name + " " + kind + "\n" + name) == std::string::npos) return false;
    return text_.find("# HELP " + name + " " + std::string(metric.help) + "\n") !=
           std::string::npos;
  }

 private:
  std::string head_;
  std::string text_;
  std::map<std::string, double> values_;
};

}  // namespace cairn::server
