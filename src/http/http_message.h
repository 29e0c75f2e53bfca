// A request and a response of the small HTTP server: what a health check, a scraper or a browser
// sends and gets.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace cairn::http {

struct Request {
  std::string method;  // "GET", "HEAD", "POST"
  std::string path;    // of the target, without the query
  std::string query;   // what follows '?'; empty without one
  std::string body;
  // Who asks: the name on the certificate, "" when none was shown; and "host:port".
  std::string subject;
  std::string address;
  std::string host = {};  // whom the client means to ask, as it says: the header Host
};

// By name; the values are ours, without line ends.
using Headers = std::vector<std::pair<std::string, std::string>>;

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  // Beside those that every answer has. `Cache-Control` replaces "no-store".
  Headers headers = {};
};

// The bytes of `response` in HTTP/1.1. With `head_only`, the body is left out and its length kept.
std::string Serialize(const Response& response, bool keep_alive, bool head_only);

}  // namespace cairn::http
