#include "server/console/json_answer.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error_info.h"
#include "base/strings.h"

namespace cairn::server {
namespace {

constexpr char kJsonType[] = "application/json; charset=utf-8";

int HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

}  // namespace

http::Headers ConsoleHeaders() {
  return {{"Content-Security-Policy",
           "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
           "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Cross-Origin-Opener-Policy", "same-origin"}};
}

http::Response JsonAnswer(std::string body) {
  return {.content_type = kJsonType, .body = std::move(body), .headers = ConsoleHeaders()};
}

http::Response JsonError(const absl::Status& status) {
  nlohmann::json json = {{"error", std::string(base::StdView(status.message()))},
                         {"code", absl::StatusCodeToString(status.code())}};
  if (const auto info = base::GetErrorInfo(status)) {
    json["reason"] = info->reason;
    json["details"] = info->metadata;
  }
  http::Response response =
      JsonAnswer(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  response.status = HttpStatusOf(status.code());
  return response;
}

absl::Status ShuttingDown() {
  return base::MakeError(absl::StatusCode::kUnavailable, "the node is shutting down",
                         base::reason::kShuttingDown);
}

}  // namespace cairn::server
