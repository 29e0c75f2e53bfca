// Queries: everybody is asked, and who has something to say answers to the asker.
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/strings.h"
#include "gossip/serf/serf.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/message_codec.h"

namespace cairn::gossip {
namespace {

constexpr std::string_view kInternalPrefix = "_serf_";
// What a peer's expression may take; RE2 matches in linear time.
constexpr int64_t kFilterMemoryBytes = 256 << 10;

bool Matches(const std::string& expression, const std::string& value) {
  RE2::Options options;
  options.set_log_errors(false);  // it is a peer's text
  options.set_max_mem(kFilterMemoryBytes);
  const RE2 pattern(expression, options);
  return pattern.ok() && RE2::PartialMatch(value, pattern);
}

}  // namespace

int64_t Serf::DefaultQueryTimeoutNs() const {
  const double digits = std::ceil(std::log10(static_cast<double>(swim_.table().size() + 1)));
  return config_.swim.gossip_interval_ns * config_.query_timeout_multiplier *
         std::max<int64_t>(1, static_cast<int64_t>(digits));
}

absl::Status Serf::Ask(QueryRequest request, QueryCallbacks callbacks) {
  if (asked_.size() >= kMaxPendingQueries) {
    return absl::ResourceExhaustedError(
        base::StrCat(kMaxPendingQueries, " queries wait for answers"));
  }
  if (HasControlCharacters(request.name)) {
    return absl::InvalidArgumentError("the query's name has control characters");
  }
  Query query;
  query.time = query_clock_.time();
  query.id = static_cast<uint32_t>(random_.Next());
  query.source = config_.swim.address;
  query.source_node = config_.swim.name;
  query.filters = std::move(request.filters);
  query.flags = request.wants_acks ? kQueryFlagAck : 0;
  query.relay_factor = request.relay_factor;
  query.timeout_ns = std::min(request.timeout_ns > 0 ? request.timeout_ns : DefaultQueryTimeoutNs(),
                              kMaxQueryTimeoutNs);
  query.name = std::move(request.name);
  query.payload = std::move(request.payload);
  std::string message = Encode(query);
  if (message.size() > kMaxQueryBytes) {
    return absl::InvalidArgumentError(
        base::StrCat("the query takes ", message.size(), " bytes; the limit is ", kMaxQueryBytes));
  }
  query_clock_.Increment();
  Asked& asked = asked_[query.time];
  asked.id = query.id;
  asked.callbacks = std::move(callbacks);
  scheduler_.After(query.timeout_ns, [this, time = query.time] {
    auto node = asked_.extract(time);
    if (node.mapped().callbacks.on_done) node.mapped().callbacks.on_done();
  });
  OnQuery(query);
  queries_.Add("", AsUserMessage(message));
  return absl::OkStatus();
}

bool Serf::Passes(const Query& query) const {
  const SerfMember* self = Find(config_.swim.name);
  return std::all_of(query.filters.begin(), query.filters.end(), [&](const QueryFilter& filter) {
    if (const auto* nodes = std::get_if<NodeFilter>(&filter)) {
      return std::find(nodes->names.begin(), nodes->names.end(), config_.swim.name) !=
             nodes->names.end();
    }
    const auto& tag = std::get<TagFilter>(filter);
    const auto at = self->tags.find(tag.tag);
    return Matches(tag.expression, at == self->tags.end() ? "" : at->second);
  });
}

bool Serf::OnQuery(const Query& query) {
  if (query.time > kMaxLamportTime) {
    CountRefused();
    return false;
  }
  query_clock_.Witness(query.time);
  if (query.time < query_min_time_) return false;
  if (!seen_queries_.Add(query_clock_.time(), query.time, query.id)) return false;
  ++counters_.queries;
  const bool pass_on = (query.flags & kQueryFlagNoBroadcast) == 0;
  if (!Passes(query)) return pass_on;
  if ((query.flags & kQueryFlagAck) != 0) Answer(query, kQueryFlagAck, "");
  if (std::string_view(query.name).substr(0, kInternalPrefix.size()) == kInternalPrefix) {
    OnInternalQuery(query);
    return pass_on;
  }
  if (pending_.size() >= kMaxPendingQueries) pending_.erase(pending_.begin());
  const uint64_t handle = next_handle_++;
  const int64_t timeout_ns = std::clamp<int64_t>(query.timeout_ns, 0, kMaxQueryTimeoutNs);
  const int64_t deadline_ns = scheduler_.now_ns() + timeout_ns;
  pending_[handle] = {query, deadline_ns};
  scheduler_.After(timeout_ns, [this, handle] { pending_.erase(handle); });
  events_out_.push_back(
      IncomingQuery{handle, query.name, query.payload, query.source_node, deadline_ns});
  return pass_on;
}

absl::Status Serf::Respond(uint64_t handle, std::string payload) {
  const auto at = pending_.find(handle);
  if (at == pending_.end()) {
    return absl::NotFoundError("the query was answered, or its time is up");
  }
  const QueryResponse sized{at->second.query.time, at->second.query.id, config_.swim.name, 0,
                            payload};
  if (const size_t size = Encode(sized).size(); size > kMaxQueryResponseBytes) {
    return absl::InvalidArgumentError(
        base::StrCat("the response takes ", size, " bytes; the limit is ", kMaxQueryResponseBytes));
  }
  const Query query = std::move(at->second.query);
  pending_.erase(at);
  Answer(query, 0, std::move(payload));
  return absl::OkStatus();
}

void Serf::Answer(const Query& query, uint32_t flags, std::string payload) {
  const QueryResponse response{query.time, query.id, config_.swim.name, flags, std::move(payload)};
  if (query.source == config_.swim.address) return OnQueryResponse(response);
  if (!query.source.reachable()) return;
  const std::string message = Encode(response);
  swim_.SendUser(query.source, AsUserMessage(message));
  if (query.relay_factor == 0) return;
  // The same by way of others, for when the straight way loses it.
  const std::vector<Member*> relays =
      swim_.table().Pick(query.relay_factor, [&](const Member& member) {
        return member.state == NodeState::kAlive && member.name != config_.swim.name &&
               member.address != query.source && member.versions.delegate_max >= 5;
      });
  const std::string relayed =
      AsUserMessage(Encode(Relay{query.source, query.source_node, message}));
  for (const Member* relay : relays) swim_.SendUser(relay->address, relayed);
}

void Serf::OnQueryResponse(const QueryResponse& response) {
  const auto at = asked_.find(response.time);
  if (at == asked_.end() || at->second.id != response.id) {
    ++counters_.responses_late;
    return;
  }
  Asked& asked = at->second;
  const bool is_ack = (response.flags & kQueryFlagAck) != 0;
  std::set<std::string>& heard = is_ack ? asked.acks : asked.responses;
  // Relays bring the same again; and only so many can have something to say.
  if (heard.size() >= kMaxMembers || !heard.insert(response.from).second) return;
  ++counters_.responses;
  if (is_ack) {
    if (asked.callbacks.on_ack) asked.callbacks.on_ack(response.from);
  } else if (asked.callbacks.on_response) {
    asked.callbacks.on_response(response.from, response.payload);
  }
}

// Only what relays are for, and only to members: nobody is sent through us to strangers.
void Serf::OnRelay(const Relay& relay) {
  const SerfMember* member = Find(relay.destination_node);
  if (member == nullptr || member->address != relay.destination || relay.message.empty() ||
      static_cast<SerfType>(relay.message[0]) != SerfType::kQueryResponse) {
    ++counters_.relays_refused;
    return;
  }
  swim_.SendUser(relay.destination, AsUserMessage(relay.message));
}

}  // namespace cairn::gossip
