#include "sim/client.h"

#include <utility>

#include "base/strings.h"
#include "cluster/command.h"
#include "log/records.h"
#include "sim/workload.h"

namespace cairn::sim {
namespace {

constexpr int64_t kTimeoutMs = 6'000;
constexpr size_t kFetchBytes = 64 << 10;
constexpr uint64_t kThroughLeaderPermille = 700;

}  // namespace

void Client::Again(int64_t low_ms, int64_t high_ms) {
  world_.After(world_.Between(low_ms, high_ms), [self = shared_from_this()] {
    if (!self->workload_.stopped()) self->Act();
  });
}

std::optional<Access> Client::Find(bool anywhere) {
  const auto view = cluster_.Metadata();
  if (view == nullptr || view->metadata.topics.empty()) return std::nullopt;
  auto topic = view->metadata.topics.begin();
  std::advance(topic, world_.dice.Below(view->metadata.topics.size()));
  const auto partition = world_.dice.Below(topic->second.partitions.size());
  return FindPartition(topic->second.name, static_cast<int32_t>(partition), anywhere);
}

std::optional<Access> Client::FindPartition(const std::string& topic, int32_t partition,
                                            bool anywhere) {
  auto number = cluster_.AnyWorking();
  if (!number) return std::nullopt;
  const auto group_at = [&](size_t machine) -> std::optional<GroupId> {
    const auto view = cluster_.machine(machine).node().metadata();
    const cluster::Topic* found = view->metadata.FindTopic(topic);
    if (found == nullptr || static_cast<size_t>(partition) >= found->partitions.size()) {
      return std::nullopt;
    }
    return found->group(static_cast<size_t>(partition));
  };
  auto group = group_at(*number);
  if (!group) return std::nullopt;
  if (!anywhere && world_.Chance(kThroughLeaderPermille)) {
    const auto leader = cluster_.MachineOf(cluster_.machine(*number).node().LeaderOf(*group));
    if (leader && cluster_.machine(*leader).works()) number = leader;
    group = group_at(*number);
    if (!group) return std::nullopt;
  }
  Machine& machine = cluster_.machine(*number);
  auto found = machine.node().FindPartition(topic, PartitionId(partition));
  if (!found.ok()) return std::nullopt;
  return Access{*number, machine.boot_number(), *group, *std::move(found)};
}

log::Batch Client::MakeBatch() {
  log::BatchBuilder builder;
  const std::string key = base::StrCat(name_, "-", next_key_++);
  const auto records = 1 + world_.dice.Below(5);
  const bool large = world_.Chance(50);
  for (uint64_t i = 0; i < records; ++i) {
    const std::string value(world_.dice.Below(large ? 20'000 : 300), static_cast<char>('a' + i));
    builder.Add(i == 0 ? key : base::StrCat(key, "+", i), value, world_.clock.WallMs());
  }
  return builder.Take();
}

template <typename Result, typename Call>
void Client::Ask(const Access& access, absl::AnyInvocable<void(Result)> done, Call call) {
  Machine& machine = cluster_.machine(access.machine);
  // Shared by the answer and the timeout: the first one takes it.
  struct Pending {
    absl::AnyInvocable<void(Result)> done;
  };
  auto pending = std::make_shared<Pending>(Pending{std::move(done)});
  const uint64_t hold = machine.Hold(access.partition);
  const auto finish = [](const std::shared_ptr<Pending>& waiting, Result result) {
    if (auto taken = std::exchange(waiting->done, nullptr)) taken(std::move(result));
  };
  world_.After(kTimeoutMs, [pending, finish] {
    finish(pending, Result(absl::UnavailableError("no answer in time")));
  });
  call(*access.partition, [self = shared_from_this(), number = access.machine, boot = access.boot,
                           hold, pending, finish](Result result) mutable {
    self->world_.fabric.Post(
        [self, number, boot, hold, pending, finish, result = std::move(result)]() mutable {
          Machine& asked = self->cluster_.machine(number);
          // What a machine says in its last task, with the power gone, reaches nobody.
          if (asked.boot_number() != boot || !asked.up()) return;
          asked.Release(hold);
          finish(pending, std::move(result));
        });
  });
}

void Client::Produce(const Access& access, const log::Batch& batch, std::optional<Offset> expected,
                     ProduceDone done) {
  Ask<absl::StatusOr<broker::ProduceResult>>(
      access, std::move(done), [&](broker::Partition& partition, auto callback) {
        partition.Produce(batch, expected, std::move(callback));
      });
}

void Client::Barrier(const Access& access, Done done) {
  Ask<absl::Status>(access, std::move(done), [](broker::Partition& partition, auto callback) {
    partition.ReadBarrier(std::move(callback));
  });
}

void Client::Wait(const Access& access, Offset from, Done done) {
  Ask<absl::Status>(access, std::move(done), [from](broker::Partition& partition, auto callback) {
    partition.WaitForData(from, std::move(callback));
  });
}

bool Client::IsValid(const Access& access) const {
  Machine& machine = cluster_.machine(access.machine);
  return machine.works() && machine.boot_number() == access.boot;
}

bool Client::Fetch(const Access& access, Offset from, Offset& next) {
  if (!IsValid(access)) return false;
  Machine& machine = cluster_.machine(access.machine);
  const Machine::Calm calm(machine);
  const Offset before = access.partition->high_watermark();
  const auto result = access.partition->Fetch(from, kFetchBytes);
  workload_.CountRead();
  if (!result.ok()) {
    if (absl::IsDataLoss(result.status()) && !machine.rotten()) {
      world_.Find(base::StrCat(machine.name(), " at ", from.value(), " of group ",
                               access.group.value(), ": ", result.status().ToString()));
    }
    return false;
  }
  if (result->high_watermark < before) {
    world_.Find(base::StrCat(machine.name(), ": the high watermark of group ", access.group.value(),
                             " went back"));
  }
  if (from < result->high_watermark &&
      (result->entries.empty() || result->entries.front().header.base_offset > from ||
       result->entries.front().header.end_offset() <= from)) {
    world_.Find(base::StrCat(
        machine.name(), ": a read of group ", access.group.value(), " at ", from.value(), " of [",
        result->log_start.value(), ", ", result->high_watermark.value(), ") begins at ",
        result->entries.empty()
            ? std::string("nothing")
            : base::StrCat(result->entries.front().header.base_offset.value())));
    return false;
  }
  for (size_t i = 0; i < result->entries.size(); ++i) {
    const log::EntryHeader& header = result->entries[i].header;
    if (header.end_offset() > result->high_watermark ||
        (i > 0 && header.base_offset != result->entries[i - 1].header.end_offset())) {
      world_.Find(base::StrCat(machine.name(), ": a read of group ", access.group.value(),
                               " is not dense, or reads what is not committed"));
      return false;
    }
  }
  cluster_.history().Read(access.group, *result);
  next = result->entries.empty() ? from : result->entries.back().header.end_offset();
  return true;
}

void Client::AllocateProducerId(absl::AnyInvocable<void(std::optional<int64_t>)> done) {
  const auto number = cluster_.AnyWorking();
  if (!number) return done(std::nullopt);
  struct Pending {
    absl::AnyInvocable<void(std::optional<int64_t>)> done;
  };
  auto pending = std::make_shared<Pending>(Pending{std::move(done)});
  const auto finish = [](const std::shared_ptr<Pending>& waiting, std::optional<int64_t> id) {
    if (auto taken = std::exchange(waiting->done, nullptr)) taken(id);
  };
  world_.After(kTimeoutMs, [pending, finish] { finish(pending, std::nullopt); });
  cluster_.machine(*number).node().RunCommand(
      cluster::AllocateProducerIds{.count = 1},
      [self = shared_from_this(), pending,
       finish](const absl::StatusOr<cluster::CommandResult>& result) {
        std::optional<int64_t> id;
        if (result.ok()) id = result->producer_ids;
        self->world_.fabric.Post([pending, finish, id] { finish(pending, id); });
      });
}

}  // namespace cairn::sim
