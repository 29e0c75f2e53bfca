#include "process/history.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

namespace cairn::testing {
namespace {

template <typename... Parts>
std::string Text(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

struct Name {
  int producer;
  uint64_t number;
};

std::string Show(const Name& name) {
  return Text("record ", name.number, " of producer ", name.producer);
}

// Nothing when no producer of ours wrote it, down to the last byte.
std::optional<Name> ParseValue(const std::string& value) {
  Name name{};
  const char* const end = value.data() + value.size();
  const auto producer = std::from_chars(value.data(), end, name.producer);
  if (producer.ec != std::errc() || producer.ptr == end || *producer.ptr != ':') return {};
  const auto number = std::from_chars(producer.ptr + 1, end, name.number);
  if (number.ec != std::errc()) return {};
  if (value != NumberedValue(name.producer, name.number)) return {};
  return name;
}

// Collects faults up to the limit.
class Findings {
 public:
  template <typename... Parts>
  void Add(const Parts&... parts) {
    if (list_.size() < History::kMaxFaults) list_.push_back(Text(parts...));
  }
  std::vector<std::string> Take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

void CheckOffsets(const ReplicaContent& replica, Findings& findings) {
  uint64_t expected = 0;
  for (const auto& [offset, value] : replica.records) {
    if (offset != expected) {
      findings.Add(replica.name, ": offset ", offset, " follows where ", expected, " should");
    }
    expected = offset + 1;
  }
}

void CompareReplicas(const ReplicaContent& first, const ReplicaContent& other, Findings& findings) {
  if (first.records.size() != other.records.size()) {
    findings.Add(first.name, " holds ", first.records.size(), " records, ", other.name, " ",
                 other.records.size());
  }
  const size_t common = std::min(first.records.size(), other.records.size());
  for (size_t i = 0; i < common; ++i) {
    if (first.records[i] == other.records[i]) continue;
    findings.Add("offset ", first.records[i].first, " differs: \"", first.records[i].second,
                 "\" on ", first.name, ", \"", other.records[i].second, "\" on ", other.name);
  }
}

}  // namespace

std::string NumberedValue(int producer, uint64_t number) {
  // Lengths differ, so that entries do not all begin at multiples of something.
  return Text(producer, ":", number, ":",
              std::string(1 + (number * 7 + static_cast<uint64_t>(producer)) % 61, 'x'));
}

void History::Append(int producer, uint64_t number) {
  const std::lock_guard lock(mutex_);
  auto& records = producers_[producer];
  if (number >= records.size()) records.resize(number + 1);
  records[number].begun = std::chrono::steady_clock::now();
}

void History::Acknowledge(int producer, uint64_t number, uint64_t offset) {
  const std::lock_guard lock(mutex_);
  auto& records = producers_[producer];
  if (number >= records.size()) records.resize(number + 1);
  Record& record = records[number];
  if (record.acknowledged) {
    if (record.offset != offset) {
      faults_.push_back(Text(Show({producer, number}), " was acknowledged at ", record.offset,
                             " and again at ", offset));
    }
    return;
  }
  record.answered = std::chrono::steady_clock::now();
  record.acknowledged = true;
  record.offset = offset;
  ++acknowledged_;
}

void History::Read(const std::string& node, uint64_t offset, const std::string& value) {
  const std::lock_guard lock(mutex_);
  reads_.push_back({node, offset, value});
}

void History::Fault(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (faults_.size() < kMaxFaults) faults_.push_back(what);
}

size_t History::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

size_t History::reads() const {
  const std::lock_guard lock(mutex_);
  return reads_.size();
}

std::vector<std::string> History::Check(const std::vector<ReplicaContent>& replicas) const {
  const std::lock_guard lock(mutex_);
  Findings findings;
  for (const std::string& fault : faults_) findings.Add(fault);
  if (replicas.empty()) findings.Add("no replica was read");
  for (const ReplicaContent& replica : replicas) {
    CheckOffsets(replica, findings);
    if (&replica != &replicas.front()) CompareReplicas(replicas.front(), replica, findings);
  }
  if (replicas.empty()) return findings.Take();

  // What stands where, on the first replica: the others hold the same, or are in the list already.
  const ReplicaContent& log = replicas.front();
  std::map<uint64_t, const std::string*> value_at;
  std::map<int, std::map<uint64_t, uint64_t>> offset_of;  // by producer and number
  std::map<int, uint64_t> next_number;
  Time latest_begin{};  // of what stands before
  for (const auto& [offset, value] : log.records) {
    value_at[offset] = &value;
    const auto name = ParseValue(value);
    const auto producer = name ? producers_.find(name->producer) : producers_.end();
    if (producer == producers_.end() || name->number >= producer->second.size()) {
      findings.Add("offset ", offset, " holds \"", value, "\", which nobody produced");
      continue;
    }
    const auto [first, inserted] = offset_of[name->producer].emplace(name->number, offset);
    if (!inserted) {
      findings.Add(Show(*name), " is stored twice: at ", first->second, " and ", offset);
      continue;
    }
    uint64_t& expected = next_number[name->producer];
    if (name->number < expected) {
      findings.Add(Show(*name), " at offset ", offset, " stands behind ", expected - 1);
    } else if (name->number > expected) {
      findings.Add(Show(*name), " at offset ", offset, " stands where ", expected, " should");
    }
    expected = std::max(expected, name->number + 1);
    // Whoever begins after another's acknowledgement comes behind it.
    const Record& record = producer->second[name->number];
    if (record.acknowledged && record.answered < latest_begin) {
      findings.Add(Show(*name), " was acknowledged at ", offset,
                   " before something was sent that stands in front of it");
    }
    latest_begin = std::max(latest_begin, record.begun);
  }
  for (const auto& [producer, records] : producers_) {
    const auto& stored = offset_of[producer];
    for (uint64_t number = 0; number < records.size(); ++number) {
      if (!records[number].acknowledged) continue;
      const auto at = stored.find(number);
      if (at == stored.end()) {
        findings.Add(Show({producer, number}), ", acknowledged at ", records[number].offset,
                     ", is lost");
      } else if (at->second != records[number].offset) {
        findings.Add(Show({producer, number}), " was acknowledged at ", records[number].offset,
                     " and stands at ", at->second);
      }
    }
  }
  for (const Observation& read : reads_) {
    const auto at = value_at.find(read.offset);
    if (at == value_at.end()) {
      findings.Add("\"", read.value, "\" was read from ", read.node, " at ", read.offset,
                   ", where nothing is now");
    } else if (*at->second != read.value) {
      findings.Add("\"", read.value, "\" was read from ", read.node, " at ", read.offset,
                   ", which now holds \"", *at->second, "\"");
    }
  }
  return findings.Take();
}

}  // namespace cairn::testing
