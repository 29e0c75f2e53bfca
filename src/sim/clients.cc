// The kinds of clients.
#include <algorithm>
#include <utility>

#include "base/error_info.h"
#include "base/strings.h"
#include "cluster/command.h"
#include "sim/client.h"
#include "sim/workload.h"

namespace cairn::sim {
namespace {

// After these the batch is nowhere, and never will be.
bool IsRefusal(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status) ||
         absl::IsResourceExhausted(status);
}

// Appends, and when idempotent, insists.
class Producer final : public Client {
 public:
  Producer(SimCluster& cluster, Workload& workload, std::string name, bool idempotent)
      : Client(cluster, workload, std::move(name)), idempotent_(idempotent) {}

  void Act() override {
    if (idempotent_ && producer_id_ < 0) {
      return AllocateProducerId([this](std::optional<int64_t> id) {
        producer_id_ = id.value_or(-1);
        Again(10, 200);
      });
    }
    if (!batch_) {
      // An idempotent producer stays with its partition: its sequences belong to it.
      auto access = idempotent_ && group_ ? FindPartition(topic_, partition_, false) : Find(false);
      if (!access) return OnNothingFound();
      if (idempotent_ && !group_) {
        if (!Choose()) return Again(100, 500);
        access = FindPartition(topic_, partition_, false);
        if (!access) return Again(100, 500);
        group_ = access->group;
      }
      batch_ = MakeBatch();
      if (idempotent_) {
        batch_->producer_id = producer_id_;
        batch_->producer_epoch = 0;
        batch_->base_sequence = sequence_;
      }
      floor_ = cluster_.history().Floor(access->group);
      return Send(*access);
    }
    const auto access = FindPartition(topic_, partition_, false);
    if (!access) return OnNothingFound();
    Send(*access);
  }

 private:
  // Topics that stay and lose nothing to retention.
  bool Choose() {
    const auto view = cluster_.Metadata();
    if (view == nullptr) return false;
    std::vector<const cluster::Topic*> stable;
    for (const auto& [number, topic] : view->metadata.topics) {
      if (!topic.name.starts_with("temporary") && topic.settings.retention_bytes < 0) {
        stable.push_back(&topic);
      }
    }
    if (stable.empty()) return false;
    const cluster::Topic& topic = *stable[world_.dice.Below(stable.size())];
    topic_ = topic.name;
    partition_ = static_cast<int32_t>(world_.dice.Below(topic.partitions.size()));
    return true;
  }

  void OnNothingFound() { Again(100, 500); }

  void Send(const Access& access) {
    if (idempotent_ && access.group != *group_) return OnNothingFound();
    Client::Produce(access, *batch_, std::nullopt,
                    [this, group = access.group](absl::StatusOr<broker::ProduceResult> result) {
                      OnAnswer(group, result);
                    });
  }

  void OnAnswer(GroupId group, const absl::StatusOr<broker::ProduceResult>& result) {
    if (result.ok()) {
      cluster_.history().Acknowledged(group, *batch_, result->base_offset, result->duplicate,
                                      floor_);
      sequence_ += static_cast<int32_t>(batch_->record_count);
      batch_.reset();
      return Again(1, 80);
    }
    if (!idempotent_) {
      if (IsRefusal(result.status())) {
        cluster_.history().Refused(group, *batch_, result.status());
      }
      batch_.reset();
      return Again(20, 300);
    }
    if (absl::IsFailedPrecondition(result.status()) || absl::IsAlreadyExists(result.status())) {
      world_.Find(base::StrCat("an idempotent producer that tries again was refused: ",
                               result.status().ToString()));
    }
    Again(20, 300);
  }

  const bool idempotent_;
  int64_t producer_id_ = -1;
  int32_t sequence_ = 0;
  std::string topic_;
  int32_t partition_ = 0;
  std::optional<GroupId> group_;
  std::optional<log::Batch> batch_;
  Offset floor_;
};

// Appends at an offset that it names.
class PositionedProducer final : public Client {
 public:
  using Client::Client;

  void Act() override {
    const auto access = Find(false);
    if (!access) return Again(100, 500);
    const Offset expected = access->partition->high_watermark();
    const log::Batch batch = MakeBatch();
    const Offset floor = cluster_.history().Floor(access->group);
    Client::Produce(*access, batch, expected,
                    [this, group = access->group, batch, expected,
                     floor](const absl::StatusOr<broker::ProduceResult>& result) {
                      if (result.ok()) {
                        if (result->base_offset != expected) {
                          world_.Find(base::StrCat(
                              "group ", group.value(), ": an append that asked for offset ",
                              expected.value(), " got ", result->base_offset.value()));
                        }
                        cluster_.history().Acknowledged(group, batch, result->base_offset,
                                                        result->duplicate, floor);
                      } else if (IsRefusal(result.status())) {
                        cluster_.history().Refused(group, batch, result.status());
                      }
                      Again(10, 150);
                    });
  }
};

// Reads behind a barrier.
class LinearizableReader final : public Client {
 public:
  using Client::Client;

  void Act() override {
    const auto access = Find(false);
    if (!access) return Again(100, 500);
    const Offset floor = cluster_.history().Floor(access->group);
    Barrier(*access, [this, access = *access, floor](const absl::Status& status) {
      if (!status.ok() || !IsValid(access)) return Again(20, 200);
      const Offset end = access.partition->high_watermark();
      cluster_.history().Proven(access.group, floor, end);
      const Offset start = access.partition->log_start();
      Offset next;
      if (start < end) {
        Fetch(access, start + world_.dice.Below(end.value() - start.value()), next);
      }
      Again(5, 100);
    });
  }
};

// Reads a partition on any machine from where it is, then waits for more.
class TailReader final : public Client {
 public:
  using Client::Client;

  void Act() override {
    if (!access_ || !IsValid(*access_) || world_.Chance(20)) {
      access_ = Find(true);
      if (!access_) return Again(100, 500);
      at_ = access_->partition->log_start();
    }
    Offset next;
    if (!Fetch(*access_, at_, next)) {
      access_.reset();
      return Again(50, 300);
    }
    if (next > at_) {
      at_ = next;
      return Again(5, 50);
    }
    Wait(*access_, at_, [this, access = *access_](const absl::Status& status) {
      if (!status.ok()) {
        access_.reset();
      } else if (IsValid(access) && access.partition->high_watermark() <= at_) {
        world_.Find(base::StrCat("group ", access.group.value(),
                                 ": a wait ended before there was anything"));
      }
      Again(1, 50);
    });
  }

 private:
  std::optional<Access> access_;
  Offset at_;
};

// Topics, their settings, and who leads.
class Administrator final : public Client {
 public:
  using Client::Client;

  void Act() override {
    const auto number = cluster_.AnyWorking();
    if (!number) return Again(200, 1'000);
    cluster::Node& node = cluster_.machine(*number).node();
    const auto view = cluster_.Metadata();
    const auto temporary = [&]() -> const cluster::Topic* {
      for (const auto& [topic, info] : view->metadata.topics) {
        if (info.name.starts_with("temporary")) return &info;
      }
      return nullptr;
    }();
    switch (world_.dice.Below(6)) {
      case 0:
        if (view->metadata.topics.size() < 5) Create(node);
        break;
      case 1:
        if (temporary != nullptr && world_.Chance(400)) Delete(node, *temporary);
        break;
      case 2:
        Alter(node, *view);
        break;
      default:
        Transfer(node);
    }
    Again(500, 5'000);
  }

 private:
  void Create(cluster::Node& node) {
    const std::string name = base::StrCat("temporary-", next_topic_++);
    world_.Note("create " + name);
    broker::TopicSettingsChange settings;
    if (world_.Chance(500)) settings.retention_bytes = 256 << 10;
    node.CreateTopic(name, static_cast<int32_t>(world_.Between(1, 3)), 0, settings,
                     [](const absl::StatusOr<broker::TopicInfo>&) {});
  }

  void Delete(cluster::Node& node, const cluster::Topic& topic) {
    world_.Note("delete " + topic.name);
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      cluster_.history().Deleted(topic.group(i));
    }
    node.DeleteTopic(topic.name, [](const absl::Status&) {});
  }

  void Alter(cluster::Node& node, const cluster::MetadataView& view) {
    for (const auto& [number, topic] : view.metadata.topics) {
      if (topic.settings.retention_bytes < 0) continue;
      broker::TopicSettingsChange change;
      change.retention_bytes = world_.Between(1, 4) * (128 << 10);
      node.AlterTopic(topic.name, change, std::nullopt,
                      [](const absl::StatusOr<broker::TopicInfo>&) {});
      return;
    }
  }

  void Transfer(cluster::Node& node) {
    for (const auto& hosted : node.host().All()) {
      if (hosted->replica == nullptr || !hosted->replica->is_leader() || world_.Chance(500)) {
        continue;
      }
      world_.Note(base::StrCat("transfer ", hosted->spec.group.value()));
      hosted->loop->Post([hosted] { hosted->replica->Transfer(NodeId()).IgnoreError(); });
      return;
    }
  }

  uint64_t next_topic_ = 1;
};

}  // namespace

std::shared_ptr<Client> NewProducer(SimCluster& cluster, Workload& workload, std::string name,
                                    bool idempotent) {
  return std::make_shared<Producer>(cluster, workload, std::move(name), idempotent);
}
std::shared_ptr<Client> NewPositionedProducer(SimCluster& cluster, Workload& workload,
                                              std::string name) {
  return std::make_shared<PositionedProducer>(cluster, workload, std::move(name));
}
std::shared_ptr<Client> NewLinearizableReader(SimCluster& cluster, Workload& workload,
                                              std::string name) {
  return std::make_shared<LinearizableReader>(cluster, workload, std::move(name));
}
std::shared_ptr<Client> NewTailReader(SimCluster& cluster, Workload& workload, std::string name) {
  return std::make_shared<TailReader>(cluster, workload, std::move(name));
}
std::shared_ptr<Client> NewAdministrator(SimCluster& cluster, Workload& workload,
                                         std::string name) {
  return std::make_shared<Administrator>(cluster, workload, std::move(name));
}

}  // namespace cairn::sim
