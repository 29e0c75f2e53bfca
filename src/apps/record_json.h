// Records as JSON, one object per line:
// {"offset":7,"timestamp_ms":…,"key":"k","value":"v","headers":[…]}.
//
// Bytes that are not UTF-8 appear as "key_base64" and "value_base64". What `cairn consume --format
// json` prints, `cairn produce --jsonl` takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cairn/record.h"

namespace cairn::apps {

// Appends the object of `record` and a newline. `partition` is shown when it is not negative.
void AppendJson(const ConsumedRecord& record, int32_t partition, std::string& out);

// A record parsed from JSON: its text, and a Record that borrows from it.
class JsonRecord {
 public:
  // Errors: INVALID_ARGUMENT saying which field is wrong. "offset" and "partition" are ignored.
  absl::Status Parse(std::string_view line);
  const Record& record() const { return record_; }

 private:
  struct OwnedHeader {
    std::string name;
    std::optional<std::string> value;
  };

  std::optional<std::string> key_;
  std::optional<std::string> value_;
  std::vector<OwnedHeader> owned_headers_;
  std::vector<Header> headers_;
  Record record_;
};

}  // namespace cairn::apps
