// A record: what an application appends and reads back.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace cairn {

// A named value beside a record's own; names may repeat.
struct Header {
  std::string_view name = {};
  std::optional<std::string_view> value = {};
};

// A record to append. The views are read during Produce and not kept.
struct Record {
  // Absent and empty are different things, for key and for value.
  std::optional<std::string_view> key = {};
  std::optional<std::string_view> value = {};
  std::span<const Header> headers = {};
  int64_t timestamp_ms = 0;  // since the Unix epoch; 0 means now
  // The trace that producing it belongs to (W3C traceparent, 55 characters). It is not stored. In a
  // batch the first that has one speaks for all; what is none is ignored.
  std::string_view traceparent = {};
};

// A record that was read. The views live until the next call on the consumer that returned it.
struct ConsumedRecord {
  uint64_t offset = 0;
  int64_t timestamp_ms = 0;
  std::optional<std::string_view> key = {};
  std::optional<std::string_view> value = {};
  std::span<const Header> headers = {};
};

// How the records of a batch are compressed on the wire and on disk. The numbers are Kafka's.
enum class Codec : uint8_t { kNone = 0, kLz4 = 3, kZstd = 4 };

}  // namespace cairn
