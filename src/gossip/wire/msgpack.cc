#include "gossip/wire/msgpack.h"

#include <bit>
#include <limits>

#include "base/strings.h"

namespace cairn::gossip {
namespace {

// The first bytes of values, by the specification's names.
constexpr uint8_t kFixMap = 0x80;
constexpr uint8_t kFixArray = 0x90;
constexpr uint8_t kFixRaw = 0xa0;
constexpr uint8_t kNil = 0xc0;
constexpr uint8_t kFalse = 0xc2;
constexpr uint8_t kTrue = 0xc3;
constexpr uint8_t kBin8 = 0xc4;
constexpr uint8_t kBin32 = 0xc6;
constexpr uint8_t kExt8 = 0xc7;
constexpr uint8_t kExt32 = 0xc9;
constexpr uint8_t kFloat32 = 0xca;
constexpr uint8_t kFloat64 = 0xcb;
constexpr uint8_t kUint8 = 0xcc;
constexpr uint8_t kUint16 = 0xcd;
constexpr uint8_t kUint32 = 0xce;
constexpr uint8_t kUint64 = 0xcf;
constexpr uint8_t kInt8 = 0xd0;
constexpr uint8_t kInt16 = 0xd1;
constexpr uint8_t kInt32 = 0xd2;
constexpr uint8_t kInt64 = 0xd3;
constexpr uint8_t kFixExt1 = 0xd4;
constexpr uint8_t kFixExt16 = 0xd8;
constexpr uint8_t kStr8 = 0xd9;
constexpr uint8_t kRaw16 = 0xda;
constexpr uint8_t kRaw32 = 0xdb;
constexpr uint8_t kArray16 = 0xdc;
constexpr uint8_t kArray32 = 0xdd;
constexpr uint8_t kMap16 = 0xde;
constexpr uint8_t kMap32 = 0xdf;
constexpr uint8_t kNegativeFixInt = 0xe0;

}  // namespace

template <typename T>
void MsgpackWriter::BigEndian(char mark, T value) {
  char bytes[1 + sizeof(T)];
  bytes[0] = mark;
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes[1 + i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
  }
  out_.append(bytes, sizeof bytes);
}

MsgpackWriter& MsgpackWriter::Uint(uint64_t value) {
  if (value < 0x80) {
    out_.push_back(static_cast<char>(value));
  } else if (value <= std::numeric_limits<uint8_t>::max()) {
    BigEndian(static_cast<char>(kUint8), static_cast<uint8_t>(value));
  } else if (value <= std::numeric_limits<uint16_t>::max()) {
    BigEndian(static_cast<char>(kUint16), static_cast<uint16_t>(value));
  } else if (value <= std::numeric_limits<uint32_t>::max()) {
    BigEndian(static_cast<char>(kUint32), static_cast<uint32_t>(value));
  } else {
    BigEndian(static_cast<char>(kUint64), value);
  }
  return *this;
}

MsgpackWriter& MsgpackWriter::Int(int64_t value) {
  if (value >= 0) return Uint(static_cast<uint64_t>(value));
  const auto bits = static_cast<uint64_t>(value);
  if (value >= -32) {
    out_.push_back(static_cast<char>(value));
  } else if (value >= std::numeric_limits<int8_t>::min()) {
    BigEndian(static_cast<char>(kInt8), static_cast<uint8_t>(bits));
  } else if (value >= std::numeric_limits<int16_t>::min()) {
    BigEndian(static_cast<char>(kInt16), static_cast<uint16_t>(bits));
  } else if (value >= std::numeric_limits<int32_t>::min()) {
    BigEndian(static_cast<char>(kInt32), static_cast<uint32_t>(bits));
  } else {
    BigEndian(static_cast<char>(kInt64), bits);
  }
  return *this;
}

MsgpackWriter& MsgpackWriter::Bool(bool value) {
  out_.push_back(static_cast<char>(value ? kTrue : kFalse));
  return *this;
}

MsgpackWriter& MsgpackWriter::Double(double value) {
  BigEndian(static_cast<char>(kFloat64), std::bit_cast<uint64_t>(value));
  return *this;
}

MsgpackWriter& MsgpackWriter::Nil() {
  out_.push_back(static_cast<char>(kNil));
  return *this;
}

MsgpackWriter& MsgpackWriter::Raw(std::string_view bytes) {
  if (bytes.size() < 32) {
    out_.push_back(static_cast<char>(kFixRaw | bytes.size()));
  } else if (bytes.size() <= std::numeric_limits<uint16_t>::max()) {
    BigEndian(static_cast<char>(kRaw16), static_cast<uint16_t>(bytes.size()));
  } else {
    BigEndian(static_cast<char>(kRaw32), static_cast<uint32_t>(bytes.size()));
  }
  out_.append(bytes);
  return *this;
}

MsgpackWriter& MsgpackWriter::Array(uint32_t count) {
  if (count < 16) {
    out_.push_back(static_cast<char>(kFixArray | count));
  } else if (count <= std::numeric_limits<uint16_t>::max()) {
    BigEndian(static_cast<char>(kArray16), static_cast<uint16_t>(count));
  } else {
    BigEndian(static_cast<char>(kArray32), count);
  }
  return *this;
}

MsgpackWriter& MsgpackWriter::Map(uint32_t count) {
  if (count < 16) {
    out_.push_back(static_cast<char>(kFixMap | count));
  } else if (count <= std::numeric_limits<uint16_t>::max()) {
    BigEndian(static_cast<char>(kMap16), static_cast<uint16_t>(count));
  } else {
    BigEndian(static_cast<char>(kMap32), count);
  }
  return *this;
}

bool MsgpackReader::Fail(const char* why) {
  if (why_ == nullptr) why_ = why;
  return false;
}

bool MsgpackReader::End() {
  if (why_ == nullptr) incomplete_ = true;
  return Fail("the bytes end within a value");
}

absl::Status MsgpackReader::status() const {
  if (!failed()) return absl::OkStatus();
  const std::string text = base::StrCat("msgpack at byte ", position_, ": ", why_);
  return incomplete_ ? absl::OutOfRangeError(text) : absl::InvalidArgumentError(text);
}

bool MsgpackReader::TakeByte(uint8_t& byte) {
  if (failed()) return false;
  if (position_ == bytes_.size()) return End();
  byte = static_cast<uint8_t>(bytes_[position_++]);
  return true;
}

bool MsgpackReader::TakeBits(int size_bytes, uint64_t& bits) {
  std::string_view bytes;
  if (!TakeSpan(static_cast<uint64_t>(size_bytes), bytes)) return false;
  bits = 0;
  for (const char c : bytes) bits = bits << 8 | static_cast<uint8_t>(c);
  return true;
}

bool MsgpackReader::TakeSpan(uint64_t size_bytes, std::string_view& bytes) {
  if (failed()) return false;
  if (size_bytes > bytes_.size() - position_) return End();
  bytes = bytes_.substr(position_, static_cast<size_t>(size_bytes));
  position_ += bytes.size();
  return true;
}

bool MsgpackReader::TakeInteger(uint8_t mark, bool& negative, uint64_t& bits) {
  negative = false;
  if (mark < kFixMap || mark >= kNegativeFixInt) {
    bits = static_cast<uint64_t>(static_cast<int64_t>(static_cast<int8_t>(mark)));
    negative = mark >= kNegativeFixInt;
    return true;
  }
  if (mark == kNil) {
    bits = 0;
    return true;
  }
  if (mark >= kUint8 && mark <= kUint64) return TakeBits(1 << (mark - kUint8), bits);
  if (mark < kInt8 || mark > kInt64) return Fail("not an integer");
  const int size_bytes = 1 << (mark - kInt8);
  if (!TakeBits(size_bytes, bits)) return false;
  const int unused = 64 - 8 * size_bytes;
  bits = static_cast<uint64_t>(static_cast<int64_t>(bits << unused) >> unused);
  negative = static_cast<int64_t>(bits) < 0;
  return true;
}

template <typename T>
bool MsgpackReader::TakeUnsigned(T& value) {
  uint8_t mark = 0;
  bool negative = false;
  uint64_t bits = 0;
  if (!TakeByte(mark) || !TakeInteger(mark, negative, bits)) return false;
  if (negative || bits > std::numeric_limits<T>::max()) return Fail("an integer out of range");
  value = static_cast<T>(bits);
  return true;
}
template bool MsgpackReader::TakeUnsigned(uint8_t&);
template bool MsgpackReader::TakeUnsigned(uint16_t&);
template bool MsgpackReader::TakeUnsigned(uint32_t&);
template bool MsgpackReader::TakeUnsigned(uint64_t&);

bool MsgpackReader::Take(int64_t& value) {
  uint8_t mark = 0;
  bool negative = false;
  uint64_t bits = 0;
  if (!TakeByte(mark) || !TakeInteger(mark, negative, bits)) return false;
  if (!negative && bits > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Fail("an integer out of range");
  }
  value = static_cast<int64_t>(bits);
  return true;
}

bool MsgpackReader::Take(bool& value) {
  uint8_t mark = 0;
  if (!TakeByte(mark)) return false;
  if (mark != kTrue && mark != kFalse && mark != kNil) return Fail("not a boolean");
  value = mark == kTrue;
  return true;
}

bool MsgpackReader::Take(double& value) {
  uint8_t mark = 0;
  uint64_t bits = 0;
  if (!TakeByte(mark)) return false;
  if (mark == kFloat64) {
    if (!TakeBits(8, bits)) return false;
    value = std::bit_cast<double>(bits);
  } else if (mark == kFloat32) {
    if (!TakeBits(4, bits)) return false;
    value = static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  } else {
    bool negative = false;
    if (!TakeInteger(mark, negative, bits)) return false;
    value = negative ? static_cast<double>(static_cast<int64_t>(bits)) : static_cast<double>(bits);
  }
  return true;
}

bool MsgpackReader::Take(std::string_view& bytes) {
  uint8_t mark = 0;
  uint64_t size = 0;
  if (!TakeByte(mark)) return false;
  if (mark >= kFixRaw && mark < kNil) {
    size = mark & 0x1f;
  } else if (mark == kNil) {
    bytes = {};
    return true;
  } else if (mark >= kStr8 && mark <= kRaw32) {
    if (!TakeBits(1 << (mark - kStr8), size)) return false;
  } else if (mark >= kBin8 && mark <= kBin32) {
    if (!TakeBits(1 << (mark - kBin8), size)) return false;
  } else {
    return Fail("not a string");
  }
  return TakeSpan(size, bytes);
}

bool MsgpackReader::Take(std::string& bytes) {
  std::string_view view;
  if (!Take(view)) return false;
  bytes.assign(view);
  return true;
}

bool MsgpackReader::TakeArray(uint32_t& count) {
  uint8_t mark = 0;
  uint64_t bits = 0;
  if (!TakeByte(mark)) return false;
  if (mark >= kFixArray && mark < kFixRaw) {
    bits = mark & 0x0f;
  } else if (mark == kArray16 || mark == kArray32) {
    if (!TakeBits(mark == kArray16 ? 2 : 4, bits)) return false;
  } else if (mark != kNil) {
    return Fail("not an array");
  }
  count = static_cast<uint32_t>(bits);
  return true;
}

bool MsgpackReader::TakeMap(uint32_t& count) {
  uint8_t mark = 0;
  uint64_t bits = 0;
  if (!TakeByte(mark)) return false;
  if (mark >= kFixMap && mark < kFixArray) {
    bits = mark & 0x0f;
  } else if (mark == kMap16 || mark == kMap32) {
    if (!TakeBits(mark == kMap16 ? 2 : 4, bits)) return false;
  } else if (mark != kNil) {
    return Fail("not a map");
  }
  count = static_cast<uint32_t>(bits);
  return true;
}

bool MsgpackReader::TakeNil() {
  if (failed() || position_ == bytes_.size()) return false;
  if (static_cast<uint8_t>(bytes_[position_]) != kNil) return false;
  ++position_;
  return true;
}

bool MsgpackReader::Skip() {
  // Values still to be skipped, one count for each array or map that is open.
  uint64_t open[kMaxDepth];
  int depth = 0;
  open[0] = 1;
  while (depth >= 0) {
    if (open[depth] == 0) {
      --depth;
      continue;
    }
    --open[depth];
    if (failed()) return false;
    if (position_ == bytes_.size()) return End();
    const auto mark = static_cast<uint8_t>(bytes_[position_]);
    const bool is_map = (mark >= kFixMap && mark < kFixArray) || mark == kMap16 || mark == kMap32;
    const bool is_array =
        (mark >= kFixArray && mark < kFixRaw) || mark == kArray16 || mark == kArray32;
    if (is_map || is_array) {
      uint32_t count = 0;
      if (!(is_map ? TakeMap(count) : TakeArray(count))) return false;
      if (++depth == kMaxDepth) return Fail("nested too deep");
      open[depth] = is_map ? uint64_t{2} * count : count;
    } else if (mark == kFalse || mark == kTrue) {
      ++position_;
    } else if (mark == kFloat32 || mark == kFloat64) {
      double ignored = 0;
      if (!Take(ignored)) return false;
    } else if (mark >= kExt8 && mark <= kExt32) {
      ++position_;
      uint64_t size = 0;
      std::string_view ignored;
      if (!TakeBits(1 << (mark - kExt8), size) || !TakeSpan(size + 1, ignored)) return false;
    } else if (mark >= kFixExt1 && mark <= kFixExt16) {
      ++position_;
      std::string_view ignored;
      if (!TakeSpan(uint64_t{1} + (1u << (mark - kFixExt1)), ignored)) return false;
    } else if ((mark >= kFixRaw && mark <= kNil) || (mark >= kBin8 && mark <= kBin32) ||
               (mark >= kStr8 && mark <= kRaw32)) {
      std::string_view ignored;
      if (!Take(ignored)) return false;
    } else {
      ++position_;
      bool negative = false;
      uint64_t bits = 0;
      if (!TakeInteger(mark, negative, bits)) return false;  // 0xc1, which is never used, ends here
    }
  }
  return true;
}

}  // namespace cairn::gossip
