#include "sim/workload.h"

#include <utility>

#include "base/strings.h"
#include "sim/client.h"

namespace cairn::sim {

// A producer that sends one batch to one partition until it is acknowledged.
class Workload::Probe final : public Client {
 public:
  Probe(SimCluster& cluster, Workload& workload, std::string topic, int32_t partition)
      : Client(cluster, workload, base::StrCat("probe-", topic, "-", partition)),
        topic_(std::move(topic)),
        partition_(partition) {}

  void Act() override {
    const auto access = FindPartition(topic_, partition_, false);
    if (!access) return Repeat("nothing found");
    const log::Batch batch = MakeBatch();
    const Offset floor = cluster_.history().Floor(access->group);
    Produce(*access, batch, std::nullopt,
            [this, batch, group = access->group,
             floor](const absl::StatusOr<broker::ProduceResult>& result) {
              if (!result.ok()) return Repeat(result.status().ToString());
              cluster_.history().Acknowledged(group, batch, result->base_offset, result->duplicate,
                                              floor);
              done_ = true;
            });
  }
  bool done() const { return done_; }
  std::string Describe() const {
    return base::StrCat(topic_, "/", partition_, " does not take a write: ", error_);
  }

 private:
  void Repeat(std::string error) {
    error_ = std::move(error);
    // Deleted since.
    done_ = cluster_.Metadata()->metadata.FindTopic(topic_) == nullptr;
    if (done_) return;
    world_.After(200, [self = shared_from_this()] { self->Act(); });
  }

  const std::string topic_;
  const int32_t partition_;
  bool done_ = false;
  std::string error_;
};

Workload::Workload(SimCluster& cluster) : cluster_(cluster) {}
Workload::~Workload() = default;

void Workload::Start() {
  for (int i = 0; i < 4; ++i) {
    clients_.push_back(NewProducer(cluster_, *this, base::StrCat("idempotent", i), true));
  }
  for (int i = 0; i < 2; ++i) {
    clients_.push_back(NewProducer(cluster_, *this, base::StrCat("plain", i), false));
  }
  clients_.push_back(NewPositionedProducer(cluster_, *this, "positioned0"));
  clients_.push_back(NewPositionedProducer(cluster_, *this, "positioned1"));
  clients_.push_back(NewLinearizableReader(cluster_, *this, "linearizable"));
  for (int i = 0; i < 3; ++i) {
    clients_.push_back(NewTailReader(cluster_, *this, base::StrCat("tail", i)));
  }
  clients_.push_back(NewAdministrator(cluster_, *this, "administrator"));
  for (const auto& client : clients_) client->Act();
}

void Workload::Stop() { stopped_ = true; }

std::string Workload::Probes() {
  if (probes_.empty()) StartProbes();
  for (const auto& probe : probes_) {
    if (!probe->done()) return probe->Describe();
  }
  return "";
}

void Workload::StartProbes() {
  const auto view = cluster_.Metadata();
  for (const auto& [number, topic] : view->metadata.topics) {
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      probes_.push_back(
          std::make_shared<Probe>(cluster_, *this, topic.name, static_cast<int32_t>(i)));
    }
  }
  for (const auto& probe : probes_) probe->Act();
}

}  // namespace cairn::sim
