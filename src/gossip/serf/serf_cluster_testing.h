// Many gossip cores in one thread over simulated time and a network that loses packets: for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/strings.h"
#include "env/sim_random.h"
#include "gossip/serf/serf.h"
#include "gossip/wire/limits.h"

namespace cairn::gossip {

// The same options and the same calls give the same trace.
class SerfCluster {
 public:
  struct Options {
    uint64_t seed = 1;
    double loss = 0;  // of each packet; a stream is only slowed by it
    int64_t min_latency_ns = kNsPerMs / 2;
    int64_t max_latency_ns = 5 * kNsPerMs;
    std::function<void(SerfConfig&)> configure = nullptr;
  };

  SerfCluster() : SerfCluster(Options()) {}
  explicit SerfCluster(Options options) : options_(std::move(options)), random_(options_.seed) {}

  // A node named `name` ("n<number>" when empty), alive now; its number, from 0.
  size_t Add(std::string name = "", const SerfSnapshot& restored = {}) {
    const size_t number = nodes_.size();
    nodes_.push_back(std::make_unique<Node>());
    Node& node = *nodes_.back();
    node.name = name.empty() ? base::StrCat("n", number) : std::move(name);
    node.address = AddressOf(number);
    by_address_[node.address] = number;
    SerfConfig config;
    config.swim.name = node.name;
    config.swim.address = node.address;
    if (options_.configure) options_.configure(config);
    node.serf = Serf::Create(std::move(config), random_, now_ns_, restored).value();
    Collect(number);
    return number;
  }
  static Address AddressOf(size_t number) {
    return Address::Parse(base::StrCat("10.", number >> 16, ".", number >> 8 & 255, ".",
                                       number & 255, ":7946"))
        .value();
  }

  // Calls into node `number`'s core; what it wants done is done.
  template <typename Call>
  auto On(size_t number, Call call) {
    if constexpr (std::is_void_v<decltype(call(*nodes_[number]->serf))>) {
      call(*nodes_[number]->serf);
      Collect(number);
    } else {
      auto result = call(*nodes_[number]->serf);
      Collect(number);
      return result;
    }
  }
  void Join(size_t number, size_t to) {
    On(number, [&](Serf& serf) { serf.Join(AddressOf(to), false, nullptr); });
  }
  void SendEvent(size_t number, const std::string& name, const std::string& payload,
                 bool coalesce) {
    CAIRN_CHECK(On(number, [&](Serf& s) { return s.SendEvent(name, payload, coalesce); }).ok(),
                "a small event");
  }
  void Ask(size_t number, QueryRequest request, QueryCallbacks callbacks) {
    const auto ask = [&](Serf& s) { return s.Ask(std::move(request), std::move(callbacks)); };
    CAIRN_CHECK(On(number, ask).ok(), "a small query");
  }
  // It says and hears nothing any more.
  void Kill(size_t number) { nodes_[number]->dead = true; }
  // Nodes in different groups cannot reach each other; all start in 0.
  void SetGroup(size_t number, int group) { nodes_[number]->group = group; }

  void RunFor(int64_t duration_ns) {
    const int64_t end_ns = now_ns_ + duration_ns;
    while (!queue_.empty() && queue_.top().at_ns <= end_ns) {
      Happening next = std::move(const_cast<Happening&>(queue_.top()));
      queue_.pop();
      now_ns_ = next.at_ns;
      next.run();
    }
    now_ns_ = end_ns;
  }

  const Serf& at(size_t number) const { return *nodes_[number]->serf; }
  size_t size() const { return nodes_.size(); }
  int64_t now_ns() const { return now_ns_; }
  // What node `number` was told, as text: "member-join n1", "event deploy v1", "query uptime".
  std::vector<std::string>& told(size_t number) { return nodes_[number]->told; }
  // Its last query.
  uint64_t handle(size_t number) const { return nodes_[number]->handle; }
  MemberStatus StatusOf(size_t at_node, const std::string& name) const {
    const SerfMember* member = at(at_node).Find(name);
    return member == nullptr ? MemberStatus::kNone : member->status;
  }
  // Nodes (not dead) that see `name` with this status.
  size_t Seeing(const std::string& name, MemberStatus status) const {
    size_t count = 0;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i]->dead && StatusOf(i, name) == status) ++count;
    }
    return count;
  }
  // Over everything that was sent.
  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t packets() const { return packets_; }
  uint64_t packet_bytes() const { return packet_bytes_; }
  uint64_t stream_bytes() const { return stream_bytes_; }
  // Times that a member was told to have failed.
  uint64_t failures_told() const { return failures_told_; }
  // The longest time that any node took another for failed, until it took it for something else.
  int64_t longest_failure_ns() const {
    int64_t longest_ns = longest_failure_ns_;
    for (const auto& node : nodes_) {
      for (const auto& [name, since_ns] : node->failed_since) {
        if (!node->dead) longest_ns = std::max(longest_ns, now_ns_ - since_ns);
      }
    }
    return longest_ns;
  }

 private:
  struct Node {
    std::string name;
    Address address;
    std::unique_ptr<Serf> serf;
    bool dead = false;
    int group = 0;
    int64_t wake_ns = INT64_MAX;
    std::vector<std::string> told;
    uint64_t handle = 0;
    std::map<std::string, int64_t> failed_since;
  };
  struct Happening {
    int64_t at_ns;
    uint64_t number;
    std::function<void()> run;
    friend bool operator<(const Happening& a, const Happening& b) {
      return std::pair(a.at_ns, a.number) > std::pair(b.at_ns, b.number);
    }
  };

  void At(int64_t at_ns, std::function<void()> run) {
    queue_.push({at_ns, ++last_number_, std::move(run)});
  }
  bool Chance(double probability) {
    return static_cast<double>(random_.Next() >> 11) * 0x1p-53 < probability;
  }
  int64_t Latency() {
    return options_.min_latency_ns +
           static_cast<int64_t>(random_.Below(
               static_cast<uint64_t>(options_.max_latency_ns - options_.min_latency_ns) + 1));
  }
  // Of one message of a stream: what is lost is sent again after 0.2 s, 0.4 s, …
  int64_t StreamLatency() {
    int64_t latency_ns = Latency();
    for (int64_t again_ns = 200 * kNsPerMs; Chance(options_.loss); again_ns *= 2) {
      latency_ns += again_ns;
    }
    return latency_ns;
  }
  Node* Reach(size_t from, const Address& to) {
    const auto at = by_address_.find(to);
    if (at == by_address_.end()) return nullptr;
    Node* node = nodes_[at->second].get();
    return node->dead || nodes_[from]->dead || node->group != nodes_[from]->group ? nullptr : node;
  }
  void Hash(std::string_view bytes) {
    for (const uint64_t x : {static_cast<uint64_t>(now_ns_),
                             static_cast<uint64_t>(std::hash<std::string_view>()(bytes))}) {
      trace_hash_ = (trace_hash_ ^ x) * 0x100000001b3;
    }
  }

  // Does what the core of `number` wants done, and arms its alarm.
  void Collect(size_t number) {
    Node& node = *nodes_[number];
    Actions actions = node.serf->TakeActions();
    for (SendPacket& packet : actions.packets) {
      Hash(packet.bytes);
      ++packets_;
      packet_bytes_ += packet.bytes.size();
      CAIRN_CHECK(packet.bytes.size() <= kPacketBudgetBytes, "a packet fits the network");
      if (Chance(options_.loss)) continue;
      At(now_ns_ + Latency(), [this, number, packet = std::move(packet)] {
        Node* to = Reach(number, packet.to);
        if (to == nullptr) return;
        to->serf->OnPacket(now_ns_, nodes_[number]->address, packet.bytes);
        Collect(by_address_[packet.to]);
      });
    }
    for (StartExchange& exchange : actions.exchanges) Begin(number, std::move(exchange));
    for (SerfEvent& event : node.serf->TakeEvents()) Tell(node, event);
    const int64_t wake_ns = node.serf->next_deadline_ns();
    if (wake_ns < node.wake_ns) {
      node.wake_ns = wake_ns;
      At(std::max(wake_ns, now_ns_), [this, number, wake_ns] {
        Node& woken = *nodes_[number];
        if (woken.wake_ns != wake_ns) return;  // there was an earlier alarm
        woken.wake_ns = INT64_MAX;
        if (woken.dead) return;
        woken.serf->Advance(now_ns_);
        Collect(number);
      });
    }
  }

  void Begin(size_t number, StartExchange exchange) {
    Hash(exchange.request);
    stream_bytes_ += exchange.request.size();
    const int64_t deadline_ns = now_ns_ + exchange.timeout_ns;
    const auto finish = [this, number, id = exchange.id](absl::StatusOr<StreamMessage> answer) {
      if (nodes_[number]->dead) return;
      nodes_[number]->serf->OnExchange(now_ns_, id, std::move(answer));
      Collect(number);
    };
    const int64_t there_ns = now_ns_ + 2 * Latency() + StreamLatency();
    const int64_t back_ns = there_ns + StreamLatency();
    if (back_ns > deadline_ns) {
      return At(deadline_ns, [finish] { finish(absl::UnavailableError("timed out")); });
    }
    At(there_ns, [this, number, exchange, finish, back_ns, deadline_ns] {
      Node* to = Reach(number, exchange.to);
      if (to == nullptr) {
        return At(deadline_ns, [finish] { finish(absl::UnavailableError("timed out")); });
      }
      const auto request = Decode(exchange.request, to->serf->envelope());
      std::optional<std::string> answer;
      if (request.ok()) {
        answer = to->serf->OnStream(now_ns_, *request);
        if (answer) stream_bytes_ += answer->size();
        Collect(by_address_[exchange.to]);
      }
      At(back_ns, [this, number, finish, answer, target = exchange.to] {
        if (!answer || Reach(number, target) == nullptr) {
          return finish(absl::UnavailableError("closed"));
        }
        finish(Decode(*answer, nodes_[number]->serf->envelope()));
      });
    });
  }

  static absl::StatusOr<StreamMessage> Decode(const std::string& bytes, const Envelope& envelope) {
    StreamReader reader(envelope, kMaxStreamBytes);
    for (size_t at = 0; at < bytes.size();) {
      const std::span<char> space = reader.Space();
      const size_t size = std::min(space.size(), bytes.size() - at);
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, space.begin());
      reader.Advance(size);
      at += size;
    }
    auto message = reader.Next();
    if (!message.ok()) return message.status();
    if (!*message) return absl::UnavailableError("cut short");
    return **std::move(message);
  }

  void Tell(Node& node, SerfEvent& event) {
    if (const auto* change = std::get_if<MemberEvent>(&event)) {
      if (change->change == MemberChange::kFailed) {
        ++failures_told_;
        node.failed_since[change->member.name] = now_ns_;
      } else if (const auto since = node.failed_since.find(change->member.name);
                 since != node.failed_since.end()) {
        longest_failure_ns_ = std::max(longest_failure_ns_, now_ns_ - since->second);
        node.failed_since.erase(since);
      }
      node.told.push_back(base::StrCat(ToString(change->change), " ", change->member.name));
    } else if (const auto* user = std::get_if<UserEvent>(&event)) {
      node.told.push_back(base::StrCat("event ", user->name, " ", user->payload));
    } else if (const auto* query = std::get_if<IncomingQuery>(&event)) {
      node.handle = query->handle;
      node.told.push_back(base::StrCat("query ", query->name, " ", query->payload));
    } else if (std::holds_alternative<KeyringChanged>(event)) {
      node.told.push_back("keyring");
    } else {
      node.told.push_back("name lost");
    }
  }

  const Options options_;
  env::SimRandom random_;
  int64_t now_ns_ = kNsPerSecond;
  uint64_t last_number_ = 0;
  uint64_t trace_hash_ = 0xcbf29ce484222325;
  uint64_t packets_ = 0;
  uint64_t packet_bytes_ = 0;
  uint64_t stream_bytes_ = 0;
  uint64_t failures_told_ = 0;
  int64_t longest_failure_ns_ = 0;
  std::priority_queue<Happening> queue_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<Address, size_t> by_address_;
};

}  // namespace cairn::gossip
