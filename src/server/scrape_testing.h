// For tests: what GET /metrics answered, as numbers by series.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

#include "base/strings.h"
#include "env/raw_client.h"
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
  // Of all series of a metric that has labels.
  double Sum(const std::string& metric) const {
    double sum = 0;
    for (auto it = values_.lower_bound(metric + "{"); it != values_.end(); ++it) {
      if (!it->first.starts_with(metric + "{")) break;
      sum += it->second;
    }
    return sum;
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

// What GET /metrics answers at `address`, without TLS.
inline Scrape ScrapeOf(const std::string& address) {
  env::RawClient client(address);
  client.Send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  return Scrape(client.ReceiveAll());
}

// The series of a metric that is told of each partition.
inline std::string OfPartition(const std::string& name, const std::string& topic = "default",
                               int partition = 0) {
  return base::StrCat(name, "{topic=\"", topic, "\",partition=\"", partition, "\"}");
}

}  // namespace cairn::server
