#include "http/http_message.h"

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <string_view>

#include "base/strings.h"

namespace cairn::http {

std::string Serialize(const Response& response, bool keep_alive, bool head_only) {
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(response.status)));
  std::string out = base::StrCat("HTTP/1.1 ", response.status, " ",
                                 std::string_view(reason.data(), reason.size()),
                                 "\r\nServer: cairn\r\nContent-Type: ", response.content_type,
                                 "\r\nContent-Length: ", response.body.size(),
                                 "\r\nConnection: ", keep_alive ? "keep-alive" : "close", "\r\n");
  for (const auto& [name, value] : response.headers) {
    out += base::StrCat(name, ": ", value, "\r\n");
  }
  const bool caching = std::any_of(response.headers.begin(), response.headers.end(),
                                   [](const auto& line) { return line.first == "Cache-Control"; });
  out += caching ? "\r\n" : "Cache-Control: no-store\r\n\r\n";
  if (!head_only) out += response.body;
  return out;
}

}  // namespace cairn::http
