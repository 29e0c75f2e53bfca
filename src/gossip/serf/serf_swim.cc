// What the members' protocol tells Serf.
#include <utility>

#include "gossip/serf/serf.h"

namespace cairn::gossip {

absl::Status Serf::CheckAlive(const Alive& alive) { return DecodeTags(alive.meta).status(); }

void Serf::OnJoined(const Member& joined) {
  SerfMember& member = members_[joined.name];
  const bool is_new = member.status == MemberStatus::kNone;
  member.name = joined.name;
  member.address = joined.address;
  member.tags = DecodeTags(joined.meta).value_or(Tags());
  member.versions = joined.versions;
  member.status = MemberStatus::kAlive;
  member.gone_ns = 0;
  if (is_new) {
    // What was said of it before it was known.
    if (const auto intent = recent_intents_.find(joined.name); intent != recent_intents_.end()) {
      member.status_time = intent->second.time;
      if (intent->second.leave) member.status = MemberStatus::kLeaving;
    }
  }
  Emit(MemberChange::kJoined, member);
}

void Serf::OnUpdated(const Member& updated) {
  const auto at = members_.find(updated.name);
  if (at == members_.end()) return;
  at->second.address = updated.address;
  at->second.tags = DecodeTags(updated.meta).value_or(Tags());
  at->second.versions = updated.versions;
  Emit(MemberChange::kUpdated, at->second);
}

void Serf::OnGone(const Member& gone) {
  const auto at = members_.find(gone.name);
  if (at == members_.end()) return;
  SerfMember& member = at->second;
  // Who said that it would leave, or says itself that it is gone, has left; any other has failed.
  const bool left = member.status == MemberStatus::kLeaving || gone.state == NodeState::kLeft;
  if (!left && member.status != MemberStatus::kAlive) return;
  member.status = left ? MemberStatus::kLeft : MemberStatus::kFailed;
  member.gone_ns = scheduler_.now_ns();
  coordinates_.Forget(gone.name);
  others_coordinates_.erase(gone.name);
  Emit(left ? MemberChange::kLeft : MemberChange::kFailed, member);
}

void Serf::OnConflict(const Member& existing, const Alive& other) {
  if (existing.name != config_.swim.name) {
    ++counters_.conflicts_of_others;  // theirs to resolve
    return;
  }
  ResolveConflict(other.address);
}

void Serf::OnUserMessage(std::string_view message) {
  const absl::StatusOr<SerfMessage> decoded = DecodeSerf(message);
  if (!decoded.ok()) return CountRefused();
  const auto pass_on = [&](BroadcastQueue& queue) { queue.Add("", AsUserMessage(message)); };
  if (const auto* leave = std::get_if<LeaveIntent>(&*decoded)) {
    if (OnLeaveIntent(*leave)) pass_on(intents_);
  } else if (const auto* join = std::get_if<JoinIntent>(&*decoded)) {
    if (OnJoinIntent(*join)) pass_on(intents_);
  } else if (const auto* event = std::get_if<UserEvent>(&*decoded)) {
    if (OnUserEvent(*event)) pass_on(user_events_);
  } else if (const auto* query = std::get_if<Query>(&*decoded)) {
    if (OnQuery(*query)) pass_on(queries_);
  } else if (const auto* response = std::get_if<QueryResponse>(&*decoded)) {
    OnQueryResponse(*response);
  } else if (const auto* relay = std::get_if<Relay>(&*decoded)) {
    OnRelay(*relay);
  } else {
    CountRefused();  // the others come within queries and push/pulls only
  }
}

void Serf::TakeBroadcasts(size_t overhead_bytes, size_t room_bytes, std::vector<std::string>& to) {
  const int limit = swim_.retransmit_limit();
  for (BroadcastQueue* queue : {&intents_, &queries_, &user_events_}) {
    if (queue->empty() || to.size() >= kMaxCompoundParts / 2) continue;
    const size_t before = to.size();
    queue->Take(overhead_bytes, room_bytes, limit, to);
    for (size_t i = before; i < to.size(); ++i) room_bytes -= overhead_bytes + to[i].size();
  }
}

std::string Serf::LocalState(bool) {
  SerfPushPull state;
  state.time = member_clock_.time();
  state.event_time = event_clock_.time();
  state.query_time = query_clock_.time();
  for (const auto& [name, member] : members_) {
    state.status_times[name] = member.status_time;
    if (member.status == MemberStatus::kLeft) state.left_members.push_back(name);
  }
  for (const auto& slot : seen_events_.slots()) {
    for (const Event& event : slot.values) {
      state.events.push_back({slot.time, event.name, event.payload, false});
    }
  }
  return Encode(state);
}

void Serf::MergeState(std::string_view bytes, bool join) {
  const absl::StatusOr<SerfMessage> decoded = DecodeSerf(bytes);
  const auto* state = decoded.ok() ? std::get_if<SerfPushPull>(&*decoded) : nullptr;
  if (state == nullptr ||
      std::max({state->time, state->event_time, state->query_time}) > kMaxLamportTime) {
    return CountRefused();
  }
  // Their clocks stand at what comes next.
  if (state->time > 0) member_clock_.Witness(state->time - 1);
  if (state->event_time > 0) event_clock_.Witness(state->event_time - 1);
  if (state->query_time > 0) query_clock_.Witness(state->query_time - 1);
  std::set<std::string> left(state->left_members.begin(), state->left_members.end());
  for (const auto& [name, time] : state->status_times) {
    if (left.contains(name)) {
      OnLeaveIntent({time, name, false});
    } else {
      OnJoinIntent({time, name});
    }
  }
  if (join && ignore_old_) event_min_time_ = std::max(event_min_time_, state->event_time);
  for (const UserEvent& event : state->events) OnUserEvent(event);
}

std::string Serf::AckPayload() { return EncodeCoordinate(coordinates_.coordinate()); }

void Serf::OnAck(const Member& from, int64_t round_trip_ns, std::string_view payload) {
  if (payload.empty()) return;  // of a node without coordinates
  const absl::StatusOr<Coordinate> other = DecodeCoordinate(payload);
  if (!other.ok()) return CountRefused();
  coordinates_.Observe(from.name, *other, round_trip_ns);
  others_coordinates_[from.name] = *other;
}

}  // namespace cairn::gossip
