#include "base/error_info.h"

#include <utility>

#include "absl/strings/cord.h"
#include "base/bytes.h"
#include "base/strings.h"

namespace cairn::base {
namespace {

constexpr absl::string_view kPayloadUrl = "cairn/error-info";

// The payload is a run of length-prefixed strings: reason, key, value, key, value, …
void AppendString(std::string& out, std::string_view text) {
  char length[4];
  StoreLittleEndian<uint32_t>(length, static_cast<uint32_t>(text.size()));
  out.append(length, sizeof(length));
  out.append(text);
}

bool TakeString(std::string_view& in, std::string& out) {
  if (in.size() < 4) return false;
  const auto length = LoadLittleEndian<uint32_t>(in.data());
  if (in.size() - 4 < length) return false;
  out.assign(in.substr(4, length));
  in.remove_prefix(4 + size_t{length});
  return true;
}

}  // namespace

absl::Status WithErrorInfo(absl::Status status, const ErrorInfo& info) {
  std::string payload;
  AppendString(payload, info.reason);
  for (const auto& [key, value] : info.metadata) {
    AppendString(payload, key);
    AppendString(payload, value);
  }
  status.SetPayload(kPayloadUrl, absl::Cord(payload));
  return status;
}

absl::Status MakeError(absl::StatusCode code, std::string_view message, std::string_view reason,
                       std::map<std::string, std::string> metadata) {
  return WithErrorInfo(absl::Status(code, AbslView(message)),
                       {std::string(reason), std::move(metadata)});
}

std::optional<ErrorInfo> GetErrorInfo(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload) return std::nullopt;
  const std::string bytes(*payload);
  std::string_view rest = bytes;
  ErrorInfo info;
  if (!TakeString(rest, info.reason)) return std::nullopt;
  std::string key;
  std::string value;
  while (TakeString(rest, key) && TakeString(rest, value)) info.metadata[key] = value;
  return info;
}

}  // namespace cairn::base
