// RawClient: a blocking TCP client for tests that speak to a server byte by byte.
#pragma once

#include <string>
#include <string_view>

namespace cairn::env {

// One thread. Every operation fails the test program (aborts with a message) after a generous time
// instead of hanging it.
class RawClient {
 public:
  // Connects to "127.0.0.1:port".
  explicit RawClient(const std::string& address);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void Send(std::string_view bytes);
  // Whatever arrives next; "" when the server has closed or reset the connection.
  std::string Receive();
  // Reads until `text` was seen, or the connection ends; returns everything read.
  std::string ReceiveUntil(std::string_view text);
  // Reads until the connection ends.
  std::string ReceiveAll();
  void CloseWriting();
  // Closes with a reset instead of a polite end.
  void Abort();

 private:
  int socket_ = -1;
};

}  // namespace cairn::env
