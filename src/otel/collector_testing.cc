#include "otel/collector_testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/strings.h"

namespace cairn::otel {
namespace {

// A socket bound to a free port of loopback.
int Bound(uint16_t& port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CAIRN_CHECK(listener >= 0, "a socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  CAIRN_CHECK(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0, "bound");
  CAIRN_CHECK(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0, "named");
  port = ntohs(address.sin_port);
  return listener;
}

std::string Url(uint16_t port) { return base::StrCat("http://127.0.0.1:", port); }

void SendAll(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

size_t BodyBytes(std::string_view head) {
  for (const std::string_view name : {"Content-Length: ", "content-length: "}) {
    const size_t at = head.find(name);
    if (at == std::string_view::npos) continue;
    size_t bytes = 0;
    std::from_chars(head.data() + at + name.size(), head.data() + head.size(), bytes);
    return bytes;
  }
  return 0;
}

}  // namespace

std::string TestCollector::UrlOfNobody() {
  uint16_t port = 0;
  close(Bound(port));
  return Url(port);
}

TestCollector::TestCollector(Behaviour behaviour) : behaviour_(behaviour) {
  uint16_t port = 0;
  listener_ = Bound(port);
  url_ = Url(port);
  CAIRN_CHECK(listen(listener_, 16) == 0, "listening");
  CAIRN_CHECK(pipe(stop_) == 0, "a pipe");
  thread_ = std::thread([this] { Run(); });
}

TestCollector::~TestCollector() {
  close(stop_[1]);
  thread_.join();
  close(stop_[0]);
  close(listener_);
}

void TestCollector::Run() {
  std::vector<std::thread> serving;
  while (true) {
    pollfd wait[] = {{.fd = listener_, .events = POLLIN}, {.fd = stop_[0], .events = POLLIN}};
    poll(wait, 2, -1);
    if (wait[1].revents != 0) break;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    ++connections_;
    serving.emplace_back([this, connection] {
      Serve(connection);
      close(connection);
    });
  }
  for (std::thread& thread : serving) thread.join();
}

void TestCollector::Serve(int connection) {
  std::string received;
  while (true) {
    pollfd wait[] = {{.fd = connection, .events = POLLIN}, {.fd = stop_[0], .events = POLLIN}};
    poll(wait, 2, -1);
    if (wait[1].revents != 0) return;
    char bytes[16384];
    const ssize_t got = recv(connection, bytes, sizeof(bytes), 0);
    if (got <= 0) return;
    if (behaviour_ == Behaviour::kSilent) continue;
    if (behaviour_ == Behaviour::kGarbage) {
      return SendAll(connection, std::string(4096, '\xee') + "\r\n\r\n");
    }
    received.append(bytes, static_cast<size_t>(got));
    const size_t head = received.find("\r\n\r\n");
    if (head == std::string::npos) continue;
    const size_t whole = head + 4 + BodyBytes(std::string_view(received).substr(0, head));
    if (received.size() < whole) continue;
    received.erase(0, whole);
    ++requests_;
    SendAll(connection,
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n");
  }
}

}  // namespace cairn::otel
