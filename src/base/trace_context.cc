#include "base/trace_context.h"

#include <cstring>
#include <span>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cairn::base {
namespace {

constexpr uint8_t kSampledFlag = 1;

std::string Hex(std::span<const uint8_t> bytes) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;  // upper case is not allowed
  return -1;
}

bool ReadHex(std::string_view digits, std::span<uint8_t> bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = Digit(digits[2 * i]);
    const int low = Digit(digits[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace

std::string TraceContext::TraceIdText() const { return Hex(trace_id); }
std::string TraceContext::SpanIdText() const { return Hex(span_id); }

std::string FormatTraceparent(const TraceContext& context) {
  return absl::StrCat("00-", context.TraceIdText(), "-", context.SpanIdText(),
                      context.sampled ? "-01" : "-00");
}

std::optional<TraceContext> ParseTraceparent(std::string_view text) {
  constexpr size_t kLength = 55;
  if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return std::nullopt;
  }
  uint8_t version = 0;
  uint8_t flags = 0;
  TraceContext context;
  if (!ReadHex(text, {&version, 1}) || !ReadHex(text.substr(3), context.trace_id) ||
      !ReadHex(text.substr(36), context.span_id) || !ReadHex(text.substr(53), {&flags, 1})) {
    return std::nullopt;
  }
  if (version == 0xff) return std::nullopt;
  if (version == 0 ? text.size() != kLength : text.size() > kLength && text[kLength] != '-') {
    return std::nullopt;
  }
  context.sampled = (flags & kSampledFlag) != 0;
  if (!context.valid()) return std::nullopt;
  return context;
}

void EncodeTraceContext(const TraceContext& context, char* to) {
  std::memcpy(to, context.trace_id.data(), 16);
  std::memcpy(to + 16, context.span_id.data(), 8);
  to[24] = context.sampled ? kSampledFlag : 0;
}

std::optional<TraceContext> DecodeTraceContext(std::string_view bytes) {
  TraceContext context;
  std::memcpy(context.trace_id.data(), bytes.data(), 16);
  std::memcpy(context.span_id.data(), bytes.data() + 16, 8);
  context.sampled = (bytes[24] & kSampledFlag) != 0;
  if (!context.valid() || static_cast<uint8_t>(bytes[24]) > kSampledFlag) return std::nullopt;
  return context;
}

}  // namespace cairn::base
