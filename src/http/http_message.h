// A request and a response of the small HTTP server: what a health check or a scraper sends and
// gets.
#pragma once

#include <string>

namespace cairn::http {

struct Request {
  std::string method;  // "GET", "HEAD", "POST"
  std::string path;    // of the target, without the query
  std::string query;   // what follows '?'; empty without one
  std::string body;
  // Who asks: the name on the certificate, "" when none was shown; and "host:port".
  std::string subject;
  std::string address;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// The bytes of `response` in HTTP/1.1. With `head_only`, the body is left out and its length kept.
// `extra_headers` are whole lines, each with its "\r\n".
std::string Serialize(const Response& response, bool keep_alive, bool head_only,
                      const std::string& extra_headers = {});

}  // namespace cairn::http
