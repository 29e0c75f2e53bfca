// HttpServer: HTTP/1.1 for health checks, scrapers and the console's browsers, on connections that
// the port multiplexer hands over.
//
// Parses with Boost.Beast, without its I/O, so that it runs over any env::Connection. Keep-alive
// and pipelined requests work; chunked and sized bodies up to a small limit are read.
//
// Threads: belongs to the executor's thread, but for the constructor and Stop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "env/executor.h"
#include "env/network.h"
#include "http/route_table.h"

namespace cairn::http {

struct HttpLimits {
  uint32_t header_bytes = 16 << 10;  // a browser's cookies fit; more is an attack
  uint64_t body_bytes = 64 << 10;    // no route takes a large body
  // From the first byte of a request, or the answer before it, to its last. A silent or slow client
  // costs a timer and loses the connection.
  int64_t request_timeout_ns = 10'000'000'000;
  int64_t write_timeout_ns = 10'000'000'000;  // for a client that does not read its answer
  // For the answer of a WaitingHandler, which has limits of its own below this.
  int64_t wait_timeout_ns = 30'000'000'000;
  size_t connections = 256;  // each costs a descriptor; scrapers and browsers are few
};

class HttpServer {
 public:
  // `executor` is the one the connections work on; it outlives the server.
  HttpServer(env::Executor& executor, RouteTable routes, HttpLimits limits = {});
  // Stop must have been called, or no connection been served.
  ~HttpServer();

  // Serves a connection of which `first_bytes` have been read; `subject` is who has shown a
  // certificate on it. Over the limit: answers 503 and closes.
  void Serve(std::unique_ptr<env::Connection> connection, std::string first_bytes,
             std::string subject = "");

  // Closes every connection; afterwards no route is called. Blocking; not from the executor's
  // thread. Idempotent.
  void Stop();

 private:
  class Session;
  class Shared;
  std::shared_ptr<Shared> shared_;  // shared with callbacks on their way through the executor
};

}  // namespace cairn::http
