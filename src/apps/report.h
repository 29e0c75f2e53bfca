// What commands print about their work: rates for people and JSON for programs, progress on a
// terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cairn::apps {

// "1,234,567".
std::string WithCommas(uint64_t number);
// "1.2 MB": powers of 1000, three digits.
std::string HumanBytes(double bytes);
// "950 us", "1.20 ms", "2.50 s": three digits.
std::string HumanSeconds(double seconds);
// "1.5 M": powers of 1000, three digits.
std::string HumanCount(double count);

// "2026-11-22T10:00:00.123Z".
std::string Rfc3339(int64_t timestamp_ms);

// Seconds since its construction.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// One line on stderr, rewritten a few times a second, only when stderr is a terminal.
class Progress {
 public:
  Progress();
  ~Progress();  // wipes the line
  // Whether it is time to show something again: check before formatting it.
  bool due();
  void Show(const std::string& text);

 private:
  const bool on_terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace cairn::apps
