#include "cluster/joiner.h"

#include <algorithm>
#include <utility>

namespace cairn::cluster {
namespace {

constexpr int64_t kFirstJoinPauseMs = 100;
constexpr int64_t kLongestJoinPauseMs = 2'000;
constexpr int64_t kCallTimeoutNs = 10'000'000'000;

}  // namespace

void Joiner::Start() {
  dependencies_.executor->Post([self = shared_from_this()] { self->AskNext(); });
}

void Joiner::AskNext() {
  if (stopped_) return;
  if (round_.empty()) {
    round_ = dependencies_.addresses();
    std::reverse(round_.begin(), round_.end());
  }
  if (round_.empty()) return Pause();
  const std::string address = std::move(round_.back());
  round_.pop_back();
  dependencies_.transport->CallAddress(
      address, static_cast<uint16_t>(PeerMethod::kJoin), Encode(dependencies_.request),
      kCallTimeoutNs, [self = shared_from_this(), address](absl::StatusOr<std::string> answer) {
        self->dependencies_.executor->Post(
            [self, address, answer = std::move(answer)] { self->OnAnswer(address, answer); });
      });
}

void Joiner::OnAnswer(const std::string& address, const absl::StatusOr<std::string>& answer) {
  if (stopped_) return;
  const auto response =
      answer.ok() ? DecodeJoinResponse(*answer) : absl::StatusOr<JoinResponse>(answer.status());
  if (response.ok()) {
    stopped_ = dependencies_.joined(*response).ok();
    if (!stopped_) Pause();
    return;
  }
  dependencies_.refused(address, response.status());
  if (round_.empty()) return Pause();
  dependencies_.executor->PostAfter(0, [self = shared_from_this()] { self->AskNext(); });
}

void Joiner::Pause() {
  pause_ms_ = std::clamp(pause_ms_ * 2, kFirstJoinPauseMs, kLongestJoinPauseMs);
  const int64_t wait_ms = pause_ms_ / 2 + static_cast<int64_t>(dependencies_.random->Next() %
                                                               static_cast<uint64_t>(pause_ms_));
  dependencies_.executor->PostAfter(wait_ms * 1'000'000,
                                    [self = shared_from_this()] { self->AskNext(); });
}

}  // namespace cairn::cluster
