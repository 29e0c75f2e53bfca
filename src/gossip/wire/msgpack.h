// MessagePack as memberlist and Serf speak it: structures are maps from field names to values.
//
// Written is the "old" specification (strings and byte strings alike are raw: fixraw, raw 16, raw
// 32), which every version of Serf reads; read is the new one too (str 8, bin). Written by hand
// because Debian's C++ library brings a Boost that conflicts with ours, and because a reader that
// pulls values out of hostile bytes allocates nothing: every count it is told is worth only as many
// values as there are bytes. Specification: https://github.com/msgpack/msgpack/blob/master/spec.md
// and spec-old.md beside it. Pure values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace cairn::gossip {

class MsgpackWriter {
 public:
  // Integers in their smallest form; negative ones as signed.
  MsgpackWriter& Uint(uint64_t value);
  MsgpackWriter& Int(int64_t value);
  MsgpackWriter& Bool(bool value);
  MsgpackWriter& Double(double value);
  MsgpackWriter& Nil();
  // Text or bytes, below 4 GiB.
  MsgpackWriter& Raw(std::string_view bytes);
  // Heads: `count` values, or pairs of key and value, follow.
  MsgpackWriter& Array(uint32_t count);
  MsgpackWriter& Map(uint32_t count);

  const std::string& bytes() const { return out_; }
  std::string Take() { return std::move(out_); }

 private:
  template <typename T>
  void BigEndian(char mark, T value);

  std::string out_;
};

// Reads values in order. After the first failure every further call fails, and status() says why.
class MsgpackReader {
 public:
  // Deepest nesting that Skip goes through; what Serf says nests 4 deep.
  static constexpr int kMaxDepth = 16;

  // `bytes` outlives the reader and the views it gives.
  explicit MsgpackReader(std::string_view bytes) : bytes_(bytes) {}

  // Each takes one value and returns whether it was there and of that type. nil counts as 0, false,
  // "" or an empty array or map, as it does in Go. Integers must fit their type.
  bool Take(uint8_t& value) { return TakeUnsigned(value); }
  bool Take(uint16_t& value) { return TakeUnsigned(value); }
  bool Take(uint32_t& value) { return TakeUnsigned(value); }
  bool Take(uint64_t& value) { return TakeUnsigned(value); }
  bool Take(int64_t& value);
  bool Take(bool& value);
  bool Take(double& value);  // float 32, float 64 or an integer
  bool Take(std::string& bytes);
  bool Take(std::string_view& bytes);
  bool TakeArray(uint32_t& count);
  bool TakeMap(uint32_t& count);
  // The next value, if it is nil; does not fail when it is something else.
  bool TakeNil();
  // One value of any type with everything in it.
  bool Skip();

  // Takes a map whose keys are field names. `take(name)` takes the value and returns whether that
  // went well; it skips what it does not know. A field that appears twice counts the last time.
  template <typename TakeField>
  bool TakeStruct(TakeField take) {
    uint32_t fields = 0;
    if (!TakeMap(fields)) return false;
    for (; fields > 0; --fields) {
      std::string_view name;
      if (!Take(name)) return false;
      if (!take(name)) return Fail("a field of the wrong type");
    }
    return true;
  }

  // Fails the reader with this reason (a literal) and returns false.
  bool Fail(const char* why);

  bool failed() const { return why_ != nullptr; }
  // Failed because the bytes end: more of them may help.
  bool incomplete() const { return incomplete_; }
  // OK; INVALID_ARGUMENT that says what is wrong and at which byte; OUT_OF_RANGE when incomplete.
  absl::Status status() const;
  // Bytes taken; where the failure is after one.
  size_t position() const { return position_; }
  std::string_view rest() const { return bytes_.substr(position_); }

 private:
  template <typename T>
  bool TakeUnsigned(T& value);
  bool TakeByte(uint8_t& byte);
  // A big-endian integer of `size_bytes`.
  bool TakeBits(int size_bytes, uint64_t& bits);
  // The sign and the bits of an integer, whose first byte was `mark`.
  bool TakeInteger(uint8_t mark, bool& negative, uint64_t& bits);
  bool TakeSpan(uint64_t size_bytes, std::string_view& bytes);
  // Fails as incomplete.
  bool End();

  std::string_view bytes_;
  size_t position_ = 0;
  const char* why_ = nullptr;
  bool incomplete_ = false;
};

}  // namespace cairn::gossip
