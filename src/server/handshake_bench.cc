// handshake_bench ADDRESS CERT KEY CA SECONDS: how many TLS connections a second a server takes
// from clients with certificates on the same machine, two at a time. Each is new (no session is
// resumed) and is counted when a request over it was answered, so the server has verified the
// certificate.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "env/host_port.h"

namespace cairn::server {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kThreads = 2;
constexpr unsigned char kHttp[] = "\x08http/1.1";
constexpr std::string_view kRequest =
    "GET /livez HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "handshake_bench: %s\n", why.c_str());
  std::exit(1);
}

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

Context MakeContext(char** files) {
  Context context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (SSL_CTX_use_certificate_chain_file(context.get(), files[0]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), files[1], SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(context.get(), files[2], nullptr) != 1) {
    Die("cannot read certificate, key or authority");
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_protos(context.get(), kHttp, sizeof(kHttp) - 1);
  return context;
}

bool ConnectOnce(SSL_CTX* context, const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // As browsers and gRPC do: the request does not wait for the acknowledgement of the handshake.
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context), SSL_free);
  char answer[16];
  const bool done =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      SSL_set_fd(ssl.get(), fd) == 1 && SSL_connect(ssl.get()) == 1 &&
      SSL_write(ssl.get(), kRequest.data(), static_cast<int>(kRequest.size())) > 0 &&
      SSL_read(ssl.get(), answer, sizeof(answer)) > 0;
  close(fd);
  return done;
}

int Main(int argc, char** argv) {
  if (argc != 6) Die("usage: handshake_bench ADDRESS CERT KEY CA SECONDS");
  const auto host_port = env::ParseHostPort(argv[1]);
  if (!host_port.ok()) Die(host_port.status().ToString());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(host_port->port);
  if (inet_pton(AF_INET, host_port->host.c_str(), &address.sin_addr) != 1)
    Die("not an IPv4 address");
  const Context context = MakeContext(argv + 2);

  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration<double>(std::atof(argv[5]));
  std::atomic<int64_t> done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      while (Clock::now() < end) {
        if (!ConnectOnce(context.get(), address)) Die("the server refused a connection");
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  std::printf("%.0f\n", static_cast<double>(done) / seconds);
  return 0;
}

}  // namespace
}  // namespace cairn::server

int main(int argc, char** argv) { return cairn::server::Main(argc, argv); }
