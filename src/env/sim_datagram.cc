#include "env/sim_datagram.h"

#include <algorithm>

#include "base/check.h"
#include "base/strings.h"

namespace cairn::env {

void SimDatagramSocket::Receive(std::span<char> into, ReceiveCallback done) {
  CAIRN_CHECK(!done_, "one Receive at a time");
  into_ = into;
  done_ = std::move(done);
  Finish();
}

void SimDatagramSocket::Send(const std::string& to, std::string_view bytes) {
  CAIRN_CHECK(bytes.size() <= kMaxBytes, "no datagram is longer");
  if (!closed_) fabric_.send(to, bytes);
}

void SimDatagramSocket::Close() {
  if (std::exchange(closed_, true)) return;
  fabric_.closed();
  waiting_.clear();
  Finish();
}

void SimDatagramSocket::Deliver(std::string from, std::string bytes) {
  if (closed_ || waiting_.size() == kMaxWaiting) return;
  waiting_.emplace_back(std::move(from), std::move(bytes));
  Finish();
}

void SimDatagramSocket::Finish() {
  if (!done_ || (!closed_ && waiting_.empty())) return;
  absl::StatusOr<Received> result =
      absl::CancelledError(base::StrCat("receive on ", address_, ": closed"));
  if (!closed_) {
    auto [from, bytes] = std::move(waiting_.front());
    waiting_.pop_front();
    const size_t size = std::min(bytes.size(), into_.size());
    std::copy_n(bytes.begin(), size, into_.begin());
    result = Received{size, std::move(from)};
  }
  fabric_.post([done = std::exchange(done_, nullptr), result = std::move(result)]() mutable {
    done(std::move(result));
  });
}

}  // namespace cairn::env
