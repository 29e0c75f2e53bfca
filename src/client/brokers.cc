#include "client/brokers.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <random>

#include "api/status_codec.h"
#include "base/error_info.h"
#include "cairn/v1/admin.grpc.pb.h"
#include "client/client_impl.h"

namespace cairn::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A node that could not be reached is passed over this long, doubled each time: an address that
// only the brokers can reach must not be tried for ever.
constexpr milliseconds kFirstShun(500);
constexpr milliseconds kLastShun(30'000);
// And after so many times, if it never answered, it is not gone to for being leader or replica.
constexpr int kTries = 4;
// One that answered, but could not help. Elections take about a second.
constexpr milliseconds kUnwillingShun(200);
// How old an answer about a topic has to be before a failure makes us ask again.
constexpr milliseconds kMinAge(50);
constexpr seconds kAskTimeout(2);

bool IsReason(const std::optional<base::ErrorInfo>& info, std::string_view reason) {
  return info && info->reason == reason;
}

}  // namespace

Brokers::Brokers(std::vector<std::string> seeds, ChannelFactory factory)
    : factory_(std::move(factory)), next_replica_(std::random_device{}()) {
  for (std::string& seed : seeds) {
    const bool known = std::any_of(nodes_.begin(), nodes_.end(),
                                   [&](const Node& node) { return node.address == seed; });
    if (!known) nodes_.push_back({.address = std::move(seed), .channel = nullptr});
  }
}

Brokers::~Brokers() = default;

size_t Brokers::IndexOf(const std::string& address) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].address == address) return i;
  }
  nodes_.push_back({.address = address, .channel = nullptr});
  return nodes_.size() - 1;
}

bool Brokers::IsShunned(size_t index) const { return nodes_[index].shunned_until > Clock::now(); }

bool Brokers::IsUsable(size_t index) const {
  const Node& node = nodes_[index];
  return !IsShunned(index) && (node.worked || node.failures < kTries);
}

Broker Brokers::Use(size_t index) {
  Node& node = nodes_[index];
  if (node.channel == nullptr) node.channel = factory_(node.address);
  return {.address = node.address, .channel = node.channel};
}

// The one in use, the next that did not fail lately, or the one whose failure is longest ago.
Broker Brokers::AnyLocked() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const size_t index = (current_ + i) % nodes_.size();
    if (!IsShunned(index)) return Use(current_ = index);
  }
  const auto oldest =
      std::min_element(nodes_.begin(), nodes_.end(),
                       [](const Node& a, const Node& b) { return a.failed_at < b.failed_at; });
  return Use(current_ = static_cast<size_t>(oldest - nodes_.begin()));
}

Broker Brokers::Any() {
  base::MutexLock lock(mutex_);
  return AnyLocked();
}

std::optional<Broker> Brokers::KnownLeaderLocked(const std::string& topic, int32_t partition) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return std::nullopt;
  const auto row = found->second.partitions.find(partition);
  if (row == found->second.partitions.end() || row->second.leader.empty()) return std::nullopt;
  const size_t index = IndexOf(row->second.leader);
  if (!IsUsable(index)) return std::nullopt;
  return Use(index);
}

std::optional<Broker> Brokers::KnownLeader(const std::string& topic, int32_t partition) {
  base::MutexLock lock(mutex_);
  return KnownLeaderLocked(topic, partition);
}

Broker Brokers::Leader(const std::string& topic, int32_t partition) {
  base::MutexLock lock(mutex_);
  if (auto leader = KnownLeaderLocked(topic, partition)) return *std::move(leader);
  return AnyLocked();
}

Broker Brokers::Replica(const std::string& topic, int32_t partition) {
  base::MutexLock lock(mutex_);
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return AnyLocked();
  const auto row = found->second.partitions.find(partition);
  if (row == found->second.partitions.end()) return AnyLocked();
  const auto& replicas = row->second.replicas;
  const size_t first = next_replica_++;
  for (size_t i = 0; i < replicas.size(); ++i) {
    const size_t index = IndexOf(replicas[(first + i) % replicas.size()]);
    if (IsUsable(index)) return Use(index);
  }
  return AnyLocked();
}

void Brokers::NoteLeader(const std::string& topic, int32_t partition, const std::string& address) {
  topics_[topic].partitions[partition].leader = address;
  if (address.empty()) return;
  // It may have been unwilling only because it did not lead yet.
  Node& node = nodes_[IndexOf(address)];
  if (!node.away) node.shunned_until = Clock::time_point::min();
}

void Brokers::Failed(const std::string& address, const std::string& topic, int32_t partition,
                     const absl::Status& status) {
  const auto info = base::GetErrorInfo(status);
  const bool broken = !info && IsTransientForStream(status);
  NoteFailure(address, topic, partition, status,
              broken || IsReason(info, base::reason::kShuttingDown));
}

void Brokers::Refused(const std::string& address, const std::string& topic, int32_t partition,
                      const absl::Status& status) {
  NoteFailure(address, topic, partition, status, false);
}

void Brokers::NoteFailure(const std::string& address, const std::string& topic, int32_t partition,
                          const absl::Status& status, bool away) {
  // What else is wrong is so everywhere: the topic is unknown, the disk of the leader is full.
  if (!away && status.code() != absl::StatusCode::kUnavailable) return;
  const auto info = base::GetErrorInfo(status);
  const bool not_leader = IsReason(info, base::reason::kNotLeader);
  {
    base::MutexLock lock(mutex_);
    Node& node = nodes_[IndexOf(address)];
    node.failed_at = Clock::now();
    node.away = away;
    if (away) {
      const auto shun = std::min(kLastShun, kFirstShun * (1 << std::min(node.failures++, 6)));
      node.shunned_until = node.failed_at + shun;
    } else {
      node.shunned_until = node.failed_at + kUnwillingShun;
    }
    if (partition >= 0) {
      std::string& leader = topics_[topic].partitions[partition].leader;
      const auto named = not_leader ? info->metadata.find("leader_addr") : info->metadata.end();
      if (not_leader && named != info->metadata.end() && named->second != address) {
        NoteLeader(topic, partition, named->second);
      } else if (leader == address && not_leader) {
        leader.clear();
      }
    }
  }
  if (partition >= 0) RefreshIfOlder(topic, kMinAge);
}

void Brokers::Worked(const std::string& address) {
  base::MutexLock lock(mutex_);
  Node& node = nodes_[IndexOf(address)];
  node.failures = 0;
  node.worked = true;
  node.away = false;
  node.shunned_until = Clock::time_point::min();
}

void Brokers::Learn(const std::string& topic, const v1::DescribeTopicResponse& response) {
  std::map<int32_t, std::string> addresses;
  for (const v1::Node& node : response.nodes()) {
    if (!node.address().empty()) addresses[node.id()] = node.address();
  }
  base::MutexLock lock(mutex_);
  Topic& known = topics_[topic];
  known.learned_at = Clock::now();
  for (const auto& [id, address] : addresses) IndexOf(address);
  for (const v1::Partition& row : response.topic().partitions()) {
    Partition& partition = known.partitions[row.partition()];
    partition.replicas.clear();
    for (const int32_t id : row.replicas()) {
      if (const auto at = addresses.find(id); at != addresses.end()) {
        partition.replicas.push_back(at->second);
      }
    }
    // Who does not know the leader does not make us forget it.
    if (const auto at = addresses.find(row.leader()); at != addresses.end()) {
      NoteLeader(topic, row.partition(), at->second);
    }
  }
}

void Brokers::RefreshIfOlder(const std::string& topic, Clock::duration age) {
  {
    base::MutexLock lock(mutex_);
    Topic& known = topics_[topic];
    if (stopped_ || known.asking || Clock::now() - known.learned_at < age) return;
    known.asking = true;
  }
  Ask(topic);
}

void Brokers::Ask(const std::string& topic) {
  // Lives until its answer, which gRPC gives in any case.
  struct Question {
    Broker broker;
    std::unique_ptr<v1::Admin::Stub> stub;
    grpc::ClientContext context;
    v1::DescribeTopicRequest request;
    v1::DescribeTopicResponse response;
  };
  const auto question = std::make_shared<Question>();
  question->request.set_name(topic);
  question->context.set_deadline(std::chrono::system_clock::now() + kAskTimeout);
  {
    base::MutexLock lock(mutex_);
    if (stopped_) return;
    question->broker = AnyLocked();
    asking_.insert(&question->context);
  }
  asked_->Opened();
  question->stub = v1::Admin::NewStub(question->broker.channel);
  question->stub->async()->DescribeTopic(
      &question->context, &question->request, &question->response,
      [this, asked = asked_, question = question, topic](const grpc::Status& status) mutable {
        OnAnswered(topic, question->broker.address, api::FromGrpcStatus(status), question->response,
                   &question->context);
        // Whoever lets go of a process's last channel on a thread of gRPC's ends that thread under
        // itself: so first the channel, and then whoever waits to let go of the others.
        question.reset();
        asked->Closed();
      });
}

void Brokers::OnAnswered(const std::string& topic, const std::string& address,
                         const absl::Status& status, const v1::DescribeTopicResponse& response,
                         grpc::ClientContext* context) {
  if (status.ok()) {
    Worked(address);
    Learn(topic, response);
  } else if (!absl::IsCancelled(status)) {
    Failed(address, topic, -1, status);
  }
  base::MutexLock lock(mutex_);
  Topic& known = topics_[topic];
  known.asking = false;
  known.learned_at = Clock::now();  // a failure, too: not asked again at once
  asking_.erase(context);
}

size_t Brokers::count() const {
  base::MutexLock lock(mutex_);
  return nodes_.size();
}

void Brokers::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopped_ = true;
    for (grpc::ClientContext* context : asking_) context->TryCancel();
  }
  asked_->WaitForNone();
}

}  // namespace cairn::client
