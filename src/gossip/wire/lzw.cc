#include "gossip/wire/lzw.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "base/strings.h"

namespace cairn::gossip {
namespace {

constexpr uint32_t kClear = 256;
constexpr uint32_t kEnd = 257;
constexpr uint32_t kFirstFree = 258;
constexpr int kMinWidth = 9;
constexpr int kMaxWidth = 12;
constexpr uint32_t kTableSize = 1u << kMaxWidth;
constexpr uint32_t kNoCode = kTableSize;

// Finds the code of (code, next byte): open addressing, four slots for each of the table's codes.
class EncoderTable {
 public:
  EncoderTable() { Clear(); }

  void Clear() { slots_.fill(kEmpty); }

  // The code of `prefix` followed by `byte`; when there is none, it becomes `new_code` and kNoCode
  // is returned.
  uint32_t FindOrAdd(uint32_t prefix, uint8_t byte, uint32_t new_code) {
    const uint32_t key = prefix << 8 | byte;
    uint32_t at = (key * 2654435761u) >> (32 - kSlotBits);
    while (slots_[at] != kEmpty) {
      if (slots_[at] >> kMaxWidth == key) return slots_[at] & (kTableSize - 1);
      at = (at + 1) & ((1u << kSlotBits) - 1);
    }
    slots_[at] = key << kMaxWidth | new_code;
    return kNoCode;
  }

 private:
  static constexpr int kSlotBits = kMaxWidth + 2;
  static constexpr uint32_t kEmpty =
      ~0u;  // prefix 4095 with code 4095: the table is cleared before that

  std::array<uint32_t, 1u << kSlotBits> slots_;
};

class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}

  void Put(uint32_t code, int width) {
    bits_ |= static_cast<uint64_t>(code) << count_;
    for (count_ += width; count_ >= 8; count_ -= 8, bits_ >>= 8) {
      out_.push_back(static_cast<char>(bits_));
    }
  }
  void Flush() {
    if (count_ > 0) out_.push_back(static_cast<char>(bits_));
    count_ = 0;
    bits_ = 0;
  }

 private:
  std::string& out_;
  uint64_t bits_ = 0;
  int count_ = 0;
};

}  // namespace

std::string LzwCompress(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() / 2 + 16);
  BitWriter writer(out);
  const auto table = std::make_unique<EncoderTable>();
  int width = kMinWidth;
  // The code that the decoder's table ends before, once it has the code that is written next.
  uint32_t next = kEnd;
  writer.Put(kClear, width);
  uint32_t prefix = kNoCode;
  // Writes `prefix`; true when the table had to be cleared.
  const auto put = [&] {
    writer.Put(prefix, width);
    if (++next == 1u << width && width < kMaxWidth) ++width;
    if (next < kTableSize - 1) return false;
    // One early, as Go does it: then no reader ever has to freeze a full table.
    writer.Put(kClear, width);
    table->Clear();
    width = kMinWidth;
    next = kEnd;
    return true;
  };
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    if (prefix == kNoCode) {
      prefix = byte;
      continue;
    }
    const uint32_t found = table->FindOrAdd(prefix, byte, next + 1);
    if (found != kNoCode) {
      prefix = found;
      continue;
    }
    put();
    prefix = byte;
  }
  if (prefix != kNoCode) put();
  writer.Put(kEnd, width);
  writer.Flush();
  return out;
}

absl::StatusOr<std::string> LzwExpand(std::string_view bytes, size_t limit_bytes) {
  struct Entry {
    uint16_t prefix;
    uint8_t last;
    uint8_t first;
    uint16_t length;
  };
  std::array<Entry, kTableSize> table;
  for (uint32_t i = 0; i < kClear; ++i) {
    table[i] = {0, static_cast<uint8_t>(i), static_cast<uint8_t>(i), 1};
  }
  std::string out;
  int width = kMinWidth;
  uint32_t next = kFirstFree;
  uint32_t previous = kNoCode;
  uint64_t bits = 0;
  int count = 0;
  size_t at = 0;
  while (true) {
    for (; count < width && at < bytes.size(); ++at, count += 8) {
      bits |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[at])) << count;
    }
    if (count < width) return absl::InvalidArgumentError("LZW: the bytes end before the end code");
    const auto code = static_cast<uint32_t>(bits & ((1u << width) - 1));
    bits >>= width;
    count -= width;
    if (code == kEnd) return out;
    if (code == kClear) {
      width = kMinWidth;
      next = kFirstFree;
      previous = kNoCode;
      continue;
    }
    const bool adds = previous != kNoCode && next < kTableSize;
    if (code > next || (code == next && !adds)) {
      return absl::InvalidArgumentError(
          base::StrCat("LZW: code ", code, " is not in the table of ", next));
    }
    if (adds) {
      // What was written last and the first byte of what comes now; which may be this very entry.
      const uint8_t first = table[code == next ? previous : code].first;
      table[next] = {static_cast<uint16_t>(previous), first, table[previous].first,
                     static_cast<uint16_t>(table[previous].length + 1)};
      ++next;
    }
    const size_t length = table[code].length;
    if (length > limit_bytes - out.size()) {
      return absl::ResourceExhaustedError(
          base::StrCat("LZW: expands to more than ", limit_bytes, " bytes"));
    }
    out.resize(out.size() + length);
    uint32_t from = code;
    for (size_t i = 1; i <= length; ++i, from = table[from].prefix) {
      out[out.size() - i] = static_cast<char>(table[from].last);
    }
    previous = code;
    if (next == 1u << width && width < kMaxWidth) ++width;
  }
}

}  // namespace cairn::gossip
