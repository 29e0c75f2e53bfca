#include "env/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/check.h"

namespace cairn::env {

RawClient::RawClient(const std::string& address) {
  const size_t colon = address.rfind(':');
  CAIRN_CHECK(colon != std::string::npos, "an address has a port");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
  CAIRN_CHECK(inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) == 1,
              "IPv4 literals only");
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{.tv_sec = 60, .tv_usec = 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  CAIRN_CHECK(connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0,
              "the server listens");
}

RawClient::~RawClient() {
  if (socket_ >= 0) close(socket_);
}

void RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      CAIRN_CHECK(errno == EPIPE || errno == ECONNRESET, "the server takes bytes in time");
      return;
    }
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string RawClient::Receive() {
  std::string buffer(64 << 10, '\0');
  const ssize_t received = recv(socket_, buffer.data(), buffer.size(), 0);
  if (received < 0) {
    CAIRN_CHECK(errno == ECONNRESET, "the server answers in time");
    return "";
  }
  buffer.resize(static_cast<size_t>(received));
  return buffer;
}

std::string RawClient::ReceiveUntil(std::string_view text) {
  std::string all;
  while (all.find(text) == std::string::npos) {
    const std::string more = Receive();
    if (more.empty()) break;
    all += more;
  }
  return all;
}

std::string RawClient::ReceiveAll() {
  std::string all;
  for (std::string more = Receive(); !more.empty(); more = Receive()) all += more;
  return all;
}

void RawClient::CloseWriting() { shutdown(socket_, SHUT_WR); }

void RawClient::Abort() {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  close(socket_);
  socket_ = -1;
}

}  // namespace cairn::env
