// Client: what the clients of the workload have in common: finding a partition somewhere, calling
// it, and giving up after a while.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/partition.h"
#include "log/batch.h"
#include "sim/sim_cluster.h"

namespace cairn::sim {

class Workload;

// One partition, as one machine offers it now.
struct Access {
  size_t machine;
  uint64_t boot;
  GroupId group;
  std::shared_ptr<broker::Partition> partition;
};

class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(SimCluster& cluster, Workload& workload, std::string name)
      : cluster_(cluster), workload_(workload), world_(cluster.world()), name_(std::move(name)) {}
  virtual ~Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // One request; ends in a call of Again.
  virtual void Act() = 0;

 protected:
  // Acts again in `low` to `high` ms.
  void Again(int64_t low_ms, int64_t high_ms);

  // A topic by chance, and a partition of it; through the leader's machine mostly, `anywhere`
  // through any. nullopt: nothing can be reached now.
  std::optional<Access> Find(bool anywhere);
  std::optional<Access> FindPartition(const std::string& topic, int32_t partition, bool anywhere);

  // 1 to 5 records, the first with a key that nobody else has.
  log::Batch MakeBatch();

  // The calls of Partition. The callbacks run in the simulation's own tasks, exactly once; with
  // UNAVAILABLE after kTimeoutMs, when the answer may still come about.
  using ProduceDone = absl::AnyInvocable<void(absl::StatusOr<broker::ProduceResult>)>;
  using Done = absl::AnyInvocable<void(absl::Status)>;
  void Produce(const Access& access, const log::Batch& batch, std::optional<Offset> expected,
               ProduceDone done);
  void Barrier(const Access& access, Done done);
  void Wait(const Access& access, Offset from, Done done);
  // Reads at `from` and checks it. False: nothing came of it.
  bool Fetch(const Access& access, Offset from, Offset& next);
  // A number for a producer.
  void AllocateProducerId(absl::AnyInvocable<void(std::optional<int64_t>)> done);

  // The machine of the access is up still, in the same life.
  bool IsValid(const Access& access) const;

  SimCluster& cluster_;
  Workload& workload_;
  World& world_;
  const std::string name_;

 private:
  // Runs `call` with a callback for the partition; whatever comes first, answer or timeout, calls
  // `done`.
  template <typename Result, typename Call>
  void Ask(const Access& access, absl::AnyInvocable<void(Result)> done, Call call);

  uint64_t next_key_ = 1;
};

// The kinds of clients.
std::shared_ptr<Client> NewProducer(SimCluster& cluster, Workload& workload, std::string name,
                                    bool idempotent);
std::shared_ptr<Client> NewPositionedProducer(SimCluster& cluster, Workload& workload,
                                              std::string name);
std::shared_ptr<Client> NewLinearizableReader(SimCluster& cluster, Workload& workload,
                                              std::string name);
std::shared_ptr<Client> NewTailReader(SimCluster& cluster, Workload& workload, std::string name);
std::shared_ptr<Client> NewAdministrator(SimCluster& cluster, Workload& workload, std::string name);

}  // namespace cairn::sim
