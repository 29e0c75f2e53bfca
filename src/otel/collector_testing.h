// For tests: a collector of OTLP by HTTP that takes everything, or one that behaves badly.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>

namespace cairn::otel {

class TestCollector {
 public:
  enum class Behaviour {
    kTakes,    // answers 200 to every request
    kSilent,   // accepts connections, and never says a word
    kGarbage,  // answers with bytes that are of no protocol
  };

  explicit TestCollector(Behaviour behaviour);
  ~TestCollector();
  TestCollector(const TestCollector&) = delete;
  TestCollector& operator=(const TestCollector&) = delete;

  const std::string& url() const { return url_; }  // "http://127.0.0.1:4711"
  size_t connections() const { return connections_; }
  size_t requests() const { return requests_; }  // kTakes

  // Where nobody listens.
  static std::string UrlOfNobody();

 private:
  void Run();
  void Serve(int connection);

  const Behaviour behaviour_;
  int listener_ = -1;
  int stop_[2] = {-1, -1};  // a pipe whose end wakes whoever waits
  std::string url_;
  std::atomic<size_t> connections_{0};
  std::atomic<size_t> requests_{0};
  std::thread thread_;
};

}  // namespace cairn::otel
