// What stands behind cairn::Client: the brokers and what is done with them in several places.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cairn/client.h"
#include "client/brokers.h"

namespace grpc {
class ClientContext;
class Status;
}  // namespace grpc

namespace cairn {

// Thread-safe.
class Client::Impl {
 public:
  Impl(ClientOptions options, std::unique_ptr<client::Brokers> brokers)
      : options_(std::move(options)), brokers_(std::move(brokers)) {}
  ~Impl() { brokers_->Stop(); }

  const ClientOptions& options() const { return options_; }
  client::Brokers& brokers() const { return *brokers_; }

  // The status of a finished call, with its ErrorInfo; a connection that failed names the address.
  absl::Status Translate(const grpc::Status& status) const;
  absl::Status Translate(absl::Status status) const;

 private:
  const ClientOptions options_;
  const std::unique_ptr<client::Brokers> brokers_;
};

namespace client {

// A message larger than this is refused: the broker's largest batch (64 MiB) and its envelope.
inline constexpr int kMaxMessageBytes = (64 << 20) + (1 << 20);

struct ProducerIdentity {
  int64_t id = 0;
  int32_t epoch = 0;
};

// A producer id that no other producer has. Blocking; errors as in Admin.
absl::StatusOr<ProducerIdentity> AllocateProducerId(const Client::Impl& client,
                                                    const std::string& topic);

// What the log of a partition holds, as its leader says: any other node may be behind it. When
// nobody is known to lead, as a replica says. Blocking; errors as in Admin.
struct LogRange {
  uint64_t log_start = 0;
  uint64_t high_watermark = 0;
  std::string address;  // who said so
};
absl::StatusOr<LogRange> DescribeRange(const Client::Impl& client, const std::string& topic,
                                       int32_t partition);

// Whether trying again may help: the broker is away, busy or full, or does not lead.
bool IsTransient(const absl::Status& status);

// The same for the end of a stream, where any break of the connection counts.
bool IsTransientForStream(const absl::Status& status);

// How long to wait before try number `attempt` (from 0): 50 ms, then 200 ms for as long as an
// election or a restart takes, then doubling up to 2 s; each shortened by up to a quarter at
// random, so that clients do not come back all at once.
std::chrono::milliseconds BackOff(int attempt);

}  // namespace client
}  // namespace cairn
