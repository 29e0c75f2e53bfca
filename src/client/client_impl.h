// What stands behind cairn::Client: the channel and what is done with it in several places.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cairn/client.h"

namespace grpc {
class Channel;
class ClientContext;
class Status;
}  // namespace grpc

namespace cairn {

// Thread-safe.
class Client::Impl {
 public:
  Impl(ClientOptions options, std::shared_ptr<grpc::Channel> channel)
      : options_(std::move(options)), channel_(std::move(channel)) {}

  const ClientOptions& options() const { return options_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Sets the deadline of one administrative call.
  void Prepare(grpc::ClientContext& context) const;

  // The status of a finished call, with its ErrorInfo; a connection that failed names the address.
  absl::Status Translate(const grpc::Status& status) const;
  absl::Status Translate(absl::Status status) const;

 private:
  const ClientOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;  // shared with the stubs made from it
};

namespace client {

// A message larger than this is refused: the broker's largest batch (64 MiB) and its envelope.
inline constexpr int kMaxMessageBytes = (64 << 20) + (1 << 20);

struct ProducerIdentity {
  int64_t id = 0;
  int32_t epoch = 0;
};

// A producer id that no other producer has. Blocking; errors as in Admin.
absl::StatusOr<ProducerIdentity> AllocateProducerId(const Client::Impl& client);

// Whether trying again may help: the broker is away, busy or full, or does not lead.
bool IsTransient(const absl::Status& status);

// The same for the end of a stream, where any break of the connection counts.
bool IsTransientForStream(const absl::Status& status);

// How long to wait before try number `attempt` (from 0) to reconnect: 50 ms doubling up to 2 s,
// each shortened by up to a quarter at random, so that clients do not come back all at once.
std::chrono::milliseconds BackOff(int attempt);

}  // namespace client
}  // namespace cairn
