#include "api/status_codec.h"

#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/error_info.h"
#include "base/strings.h"
#include "cairn/status/details.pb.h"
#include "log/v1/log.pb.h"

namespace cairn::api {
namespace {

constexpr std::string_view kDomain = "cairn";
constexpr std::string_view kErrorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr std::string_view kLocalizedMessageUrl = "type.googleapis.com/google.rpc.LocalizedMessage";

// At most kMaxStatusTextBytes of `text`, cut between characters, and valid UTF-8 (protobuf demands
// it): every byte that is not printable ASCII or part of a well-formed sequence shows as '?'.
std::string Bounded(std::string_view text) {
  std::string out;
  out.reserve(std::min(text.size(), kMaxStatusTextBytes));
  size_t i = 0;
  while (i < text.size()) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const size_t length = byte < 0x80 ? 1 : (byte >> 5) == 6 ? 2 : (byte >> 4) == 14 ? 3 : 1;
    bool well_formed = byte < 0x80 || length > 1;
    for (size_t k = 1; k < length && well_formed; ++k) {
      well_formed = i + k < text.size() && (static_cast<unsigned char>(text[i + k]) >> 6) == 2;
    }
    // Overlong forms and surrogates are not worth telling apart: they are shown as '?', too.
    if (length == 2 && byte < 0xc2) well_formed = false;
    if (length == 3 && well_formed) {
      const auto second = static_cast<unsigned char>(text[i + 1]);
      if ((byte == 0xe0 && second < 0xa0) || (byte == 0xed && second >= 0xa0)) well_formed = false;
    }
    const size_t taken = well_formed ? length : 1;
    if (out.size() + taken > kMaxStatusTextBytes) break;
    if (well_formed) {
      out.append(text.substr(i, taken));
    } else {
      out.push_back('?');
    }
    i += taken;
  }
  return out;
}

// An absl code from a number a peer sent.
absl::StatusCode CanonicalCode(int code) {
  if (code <= 0 || code > static_cast<int>(absl::StatusCode::kUnauthenticated)) {
    return absl::StatusCode::kUnknown;
  }
  return static_cast<absl::StatusCode>(code);
}

template <typename Message>
void AddDetail(status::Status& to, std::string_view url, const Message& message) {
  google::protobuf::Any* any = to.add_details();
  any->set_type_url(std::string(url));
  message.SerializeToString(any->mutable_value());
}

std::optional<base::ErrorInfo> FindErrorInfo(const std::string& details) {
  status::Status wire;
  if (details.empty() || details.size() > kMaxStatusDetailsBytes ||
      !wire.ParseFromString(details)) {
    return std::nullopt;
  }
  for (const google::protobuf::Any& any : wire.details()) {
    status::ErrorInfo info;
    if (any.type_url() != kErrorInfoUrl || !info.ParseFromString(any.value())) continue;
    if (info.domain() != kDomain) continue;
    return base::ErrorInfo{info.reason(), {info.metadata().begin(), info.metadata().end()}};
  }
  return std::nullopt;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(CanonicalCode(status.raw_code()));
  std::string message = Bounded(base::StdView(status.message()));
  const std::optional<base::ErrorInfo> info = base::GetErrorInfo(status);
  if (!info.has_value()) return {code, std::move(message)};

  status::Status wire;
  wire.set_code(code);
  wire.set_message(message);
  status::ErrorInfo detail;
  detail.set_reason(Bounded(info->reason));
  detail.set_domain(std::string(kDomain));
  for (const auto& [key, value] : info->metadata)
    (*detail.mutable_metadata())[Bounded(key)] = Bounded(value);
  AddDetail(wire, kErrorInfoUrl, detail);
  if (info->reason == base::reason::kOffsetOutOfRange) {
    status::LocalizedMessage localized;
    localized.set_locale("en-US");
    localized.set_message(base::StrCat("The requested offset is outside of the log: ", message));
    AddDetail(wire, kLocalizedMessageUrl, localized);
  }
  return {code, std::move(message), wire.SerializeAsString()};
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const absl::StatusCode code = CanonicalCode(status.error_code());
  std::string message = status.error_message();
  if (static_cast<int>(code) != static_cast<int>(status.error_code())) {
    message = base::StrCat(message, " (status code ", static_cast<int>(status.error_code()), ")");
  }
  absl::Status result(code, message);
  if (const auto info = FindErrorInfo(status.error_details()))
    return base::WithErrorInfo(result, *info);
  return result;
}

void ToErrorMessage(const absl::Status& status, logapi::v1::Error& error) {
  error.set_code(static_cast<int>(CanonicalCode(status.raw_code())));
  error.set_message(Bounded(base::StdView(status.message())));
  const std::optional<base::ErrorInfo> info = base::GetErrorInfo(status);
  if (!info.has_value()) return;
  error.set_reason(Bounded(info->reason));
  for (const auto& [key, value] : info->metadata)
    (*error.mutable_metadata())[Bounded(key)] = Bounded(value);
}

absl::Status FromErrorMessage(const logapi::v1::Error& error) {
  absl::Status result(CanonicalCode(error.code()), error.message());
  if (error.reason().empty()) return result;
  return base::WithErrorInfo(
      result, base::ErrorInfo{error.reason(), {error.metadata().begin(), error.metadata().end()}});
}

}  // namespace cairn::api
