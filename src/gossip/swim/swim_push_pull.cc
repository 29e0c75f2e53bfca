// Exchanges of all state, and everything else that goes by TCP.
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "gossip/swim/formulas.h"
#include "gossip/swim/swim.h"
#include "gossip/swim/versions.h"

namespace cairn::gossip {

void Swim::Exchange(const Address& to, const StreamMessage& request, int64_t timeout_ns,
                    ExchangeCallback done) {
  const uint64_t id = next_exchange_++;
  exchanges_.emplace(id, std::move(done));
  const bool compress = std::holds_alternative<PushPull>(request);
  actions_.exchanges.push_back(
      {id, to, MakeStream(request, envelope_, compress, random_), timeout_ns});
}

void Swim::OnExchange(uint64_t id, absl::StatusOr<StreamMessage> answer) {
  auto node = exchanges_.extract(id);
  if (!node.empty()) node.mapped()(std::move(answer));
}

std::optional<std::string> Swim::OnStream(const StreamMessage& message) {
  if (const auto* ping = std::get_if<Ping>(&message)) {
    if (!ping->node.empty() && ping->node != config_.name) return std::nullopt;
    return MakeStream(Ack{ping->sequence, ""}, envelope_, false, random_);
  }
  if (const auto* user = std::get_if<UserMessage>(&message)) {
    delegate_.OnUserMessage(user->bytes);
    return std::nullopt;
  }
  const auto* remote = std::get_if<PushPull>(&message);
  if (remote == nullptr) return std::nullopt;  // an answer to nothing
  // First what we know, then what it says: as the other side does it.
  std::string answer = MakeStream(State(remote->join), envelope_, true, random_);
  ++counters_.push_pulls;
  if (const absl::Status status = Merge(*remote); !status.ok()) {
    ++counters_.push_pulls_failed;
    return MakeStream(ErrorMessage{std::string(status.message())}, envelope_, false, random_);
  }
  return answer;
}

void Swim::Join(const Address& address, JoinCallback done) {
  Exchange(address, State(true), config_.push_pull_timeout_ns,
           [this, done = std::move(done)](absl::StatusOr<StreamMessage> answer) mutable {
             ++counters_.push_pulls;
             absl::Status status = answer.status();
             if (answer.ok()) {
               if (const auto* remote = std::get_if<PushPull>(&*answer)) {
                 status = Merge(*remote);
               } else if (const auto* error = std::get_if<ErrorMessage>(&*answer)) {
                 status = absl::UnavailableError(base::StrCat("the node refuses: ", error->text));
               } else {
                 status = absl::InvalidArgumentError("the node answers something else");
               }
             }
             if (!status.ok()) ++counters_.push_pulls_failed;
             if (done) done(std::move(status));
           });
}

void Swim::PushPullTick() {
  scheduler_.After(PushPullIntervalNs(config_.push_pull_interval_ns, table_.size()),
                   [this] { PushPullTick(); });
  if (leaving_) return;
  const std::vector<Member*> target = table_.Pick(1, [this](const Member& member) {
    return &member != self_ && member.state == NodeState::kAlive;
  });
  if (target.empty()) return;
  Exchange(target[0]->address, State(false), config_.push_pull_timeout_ns,
           [this](absl::StatusOr<StreamMessage> answer) {
             ++counters_.push_pulls;
             const PushPull* remote = answer.ok() ? std::get_if<PushPull>(&*answer) : nullptr;
             if (remote == nullptr || !Merge(*remote).ok()) ++counters_.push_pulls_failed;
           });
}

PushPull Swim::State(bool join) {
  PushPull state;
  state.join = join;
  state.nodes.reserve(table_.size());
  for (const auto& member : table_.members()) {
    state.nodes.push_back({member->name, member->address, member->meta, member->incarnation,
                           member->state, member->versions});
  }
  state.user_state = delegate_.LocalState(join);
  return state;
}

absl::Status Swim::Merge(const PushPull& remote) {
  std::vector<NamedVersions> versions;
  for (const PushNode& node : remote.nodes) {
    if (node.state == NodeState::kAlive) versions.push_back({node.name, node.versions});
  }
  for (const auto& member : table_.members()) {
    if (!member->gone()) versions.push_back({member->name, member->versions});
  }
  CAIRN_RETURN_IF_ERROR(CheckVersions(versions));
  for (const PushNode& node : remote.nodes) {
    switch (node.state) {
      case NodeState::kAlive:
        OnAlive({node.incarnation, node.name, node.address, node.meta, node.versions});
        break;
      case NodeState::kLeft:
        OnDead({node.incarnation, node.name, node.name});
        break;
      case NodeState::kSuspect:
      case NodeState::kDead:
        // Others' dead are suspects here: the node may still say that it is not (memberlist).
        OnSuspect({node.incarnation, node.name, config_.name});
        break;
    }
  }
  if (!remote.user_state.empty()) delegate_.MergeState(remote.user_state, remote.join);
  return absl::OkStatus();
}

}  // namespace cairn::gossip
