#include "cairn/client.h"

#include <grpcpp/support/status.h>

#include <algorithm>
#include <random>

#include "api/status_codec.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "client/channel.h"
#include "client/client_impl.h"

namespace cairn {

absl::StatusOr<std::shared_ptr<Client>> Client::Create(ClientOptions options) {
  if (options.timeout_ms <= 0) {
    return absl::InvalidArgumentError(
        base::StrCat("timeout_ms is ", options.timeout_ms, "; expected 1 or more"));
  }
  CAIRN_ASSIGN_OR_RETURN(auto addresses, client::SplitAddresses(options.address));
  CAIRN_ASSIGN_OR_RETURN(auto factory, client::MakeChannelFactory(options.tls));
  auto brokers = std::make_unique<client::Brokers>(std::move(addresses), std::move(factory));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(brokers));
  return std::shared_ptr<Client>(new Client(std::move(impl)));
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;
const ClientOptions& Client::options() const { return impl_->options(); }

absl::Status Client::Impl::Translate(const grpc::Status& status) const {
  return Translate(api::FromGrpcStatus(status));
}

absl::Status Client::Impl::Translate(absl::Status status) const {
  if (status.code() != absl::StatusCode::kUnavailable || base::GetErrorInfo(status)) return status;
  return absl::UnavailableError(base::StrCat("cannot reach a broker at ", options_.address, ": ",
                                             base::StdView(status.message())));
}

namespace client {

bool IsTransient(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
      return true;
    default: {
      const auto info = base::GetErrorInfo(status);
      return info && info->reason == base::reason::kNotLeader;
    }
  }
}

bool IsTransientForStream(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:  // the broker ended a stream that should go on: it is shutting down
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    default:
      return IsTransient(status);
  }
}

std::chrono::milliseconds BackOff(int attempt) {
  constexpr int kFirstMs = 50;
  constexpr int kElectionMs = 200;
  constexpr int kElectionTries = 12;  // about two seconds
  constexpr int kLastMs = 2'000;
  constexpr int kMaxDoublings = 6;
  thread_local std::minstd_rand random(std::random_device{}());
  const int later = std::clamp(attempt - kElectionTries, 0, kMaxDoublings);
  const int full = attempt == 0 ? kFirstMs : std::min(kLastMs, kElectionMs << later);
  const auto less = static_cast<int>(random() % static_cast<unsigned>(full / 4 + 1));
  return std::chrono::milliseconds(full - less);
}

}  // namespace client
}  // namespace cairn
