// What clients of a log saw, and the check afterwards: nothing that was acknowledged is lost,
// nothing is doubled or reordered, no offset is missing, all replicas hold the same, and no read
// ever saw something else.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace cairn::testing {

// A record that says what it is: "PRODUCER:NUMBER:filler". A producer's numbers begin at 0 and rise
// by one.
std::string NumberedValue(int producer, uint64_t number);

// What one replica answered when it was read whole, at the end.
struct ReplicaContent {
  std::string name;
  std::vector<std::pair<uint64_t, std::string>> records;  // offset and value, as read
};

// Thread-safe. Times are those of the calls: Append before the first try is sent, Acknowledge when
// the answer is there.
class History {
 public:
  // A record that may be stored from now on. Producers number their records densely.
  void Append(int producer, uint64_t number);
  void Acknowledge(int producer, uint64_t number, uint64_t offset);
  // A client read this from `node` while the cluster was running.
  void Read(const std::string& node, uint64_t offset, const std::string& value);
  // Something that no client should ever be told; a fault by itself.
  void Fault(const std::string& what);

  size_t acknowledged() const;
  size_t reads() const;

  // Every way in which the history contradicts what the replicas hold; empty when it does not. At
  // most kMaxFaults. `replicas` is what was read from each after the last append was answered.
  std::vector<std::string> Check(const std::vector<ReplicaContent>& replicas) const;

  // One fault tends to bring a thousand of its kind.
  static constexpr size_t kMaxFaults = 20;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Record {
    Time begun;
    Time answered;
    bool acknowledged = false;
    uint64_t offset = 0;
  };
  struct Observation {
    std::string node;
    uint64_t offset;
    std::string value;
  };

  mutable std::mutex mutex_;
  std::map<int, std::vector<Record>> producers_;  // by producer, then number
  std::vector<Observation> reads_;
  std::vector<std::string> faults_;
  size_t acknowledged_ = 0;
};

}  // namespace cairn::testing
