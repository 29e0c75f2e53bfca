// TraceContext: which trace a piece of work belongs to, and which span asked for it. As in W3C
// Trace Context (traceparent, https://www.w3.org/TR/trace-context/), version 00.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::base {

using TraceId = std::array<uint8_t, 16>;  // all zeros: none
using SpanId = std::array<uint8_t, 8>;    // all zeros: none

struct TraceContext {
  TraceId trace_id{};
  SpanId span_id{};
  bool sampled = false;  // its spans are recorded

  bool valid() const { return trace_id != TraceId{} && span_id != SpanId{}; }
  // Lower-case hexadecimal digits: 32 and 16.
  std::string TraceIdText() const;
  std::string SpanIdText() const;

  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

// "00-<trace id>-<span id>-<flags>", 55 characters. `context` is valid.
std::string FormatTraceparent(const TraceContext& context);

// Empty for what is no traceparent. A version above 00 is read by its first four fields, as the
// specification wants it.
std::optional<TraceContext> ParseTraceparent(std::string_view text);

// As bytes: trace id, span id, flags (1: sampled).
inline constexpr size_t kTraceContextBytes = 25;
void EncodeTraceContext(const TraceContext& context, char* to);  // room for kTraceContextBytes
// `bytes` is kTraceContextBytes long. Empty for what Encode would not have written of a valid one.
std::optional<TraceContext> DecodeTraceContext(std::string_view bytes);

}  // namespace cairn::base
