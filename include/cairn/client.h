// A client: the connections of one program to cairn. Producers, consumers and administration share
// it.
//
//   auto client = cairn::Client::Create({.address = "127.0.0.1:8400"});
//   auto producer = cairn::Producer::Create(*client, {.topic = "greetings"});
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cairn/export.h"

namespace cairn {

// PEM files. With ca_file set the connection uses TLS; with cert_file and key_file the client shows
// who it is.
struct TlsFiles {
  std::string ca_file = {};
  std::string cert_file = {};
  std::string key_file = {};
};

struct ClientOptions {
  // HOST:PORT of a broker, or several separated by commas. The others of the cluster are learned
  // from it; naming several helps when the first one is away when the program starts.
  std::string address = "127.0.0.1:8400";
  TlsFiles tls = {};
  // How long one administrative call may take, and how long a producer or consumer waits for a
  // broker when it is created.
  int64_t timeout_ms = 30'000;
};

// Thread-safe. Producers and consumers keep the connections alive that they use.
class CAIRN_EXPORT Client {
 public:
  // Does not connect yet. Errors: INVALID_ARGUMENT for an address that is not HOST:PORT; NOT_FOUND
  // or PERMISSION_DENIED for TLS files that cannot be read.
  static absl::StatusOr<std::shared_ptr<Client>> Create(ClientOptions options = {});

  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const ClientOptions& options() const;

  // The library's own; no use outside it.
  class Impl;
  Impl& impl() const { return *impl_; }

 private:
  explicit Client(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn
