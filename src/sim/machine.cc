#include "sim/machine.h"

#include <algorithm>
#include <utility>

#include "cluster/group_id.h"
#include "env/files.h"
#include "log/store_header.h"

namespace cairn::sim {
namespace {

constexpr uint64_t kRoomyDisk = uint64_t{1} << 40;
constexpr char kPeerByte = 1;
constexpr uint64_t kLeastRottenBytes = 2000;

}  // namespace

// The machine's view of time: everybody's monotonic clock, and a wall clock of its own.
class Machine::MachineClock final : public env::Clock {
 public:
  explicit MachineClock(Machine& machine) : machine_(machine) {}
  int64_t WallMs() const override {
    return machine_.world_.clock.WallMs() + machine_.wall_offset_ms_;
  }
  int64_t MonotonicNs() const override { return machine_.world_.clock.MonotonicNs(); }

 private:
  Machine& machine_;
};

// The stable store as one run of the node sees it: nothing reaches it once the power is gone.
class Machine::BootStore final : public env::KeyValueStore {
 public:
  explicit BootStore(Machine& machine) : machine_(machine), store_(*machine.store_) {}

  absl::Status Apply(std::span<const Change> changes) override {
    if (machine_.doomed_) return absl::InternalError("the power is gone");
    return store_.Apply(changes);
  }
  absl::Status ForEach(
      std::string_view prefix,
      absl::FunctionRef<void(std::string_view, std::string_view)> visit) const override {
    return store_.ForEach(prefix, visit);
  }

 private:
  Machine& machine_;
  env::SimKeyValueStore& store_;
};

Machine::Running::Running(World& world, Machine& machine, uint64_t seed)
    : random(seed),
      loops{MachineExecutor(world.fabric), MachineExecutor(world.fabric)},
      disks{MachineExecutor(world.fabric, [&machine] { return machine.DiskLatency(); }),
            MachineExecutor(world.fabric, [&machine] { return machine.DiskLatency(); })},
      reader(world.fabric, [&machine] { return machine.DiskLatency(); }),
      io(world.fabric),
      network(world.network.AddHost(machine.name(), io)),
      dialer(std::make_unique<consensus::PlainDialer>(*network)) {}

Machine::Machine(World& world, Options options, uint64_t seed)
    : world_(world),
      options_(std::move(options)),
      dice_(seed),
      clock_(std::make_unique<MachineClock>(*this)),
      fs_(std::make_unique<env::SimFileSystem>(dice_.Next())),
      store_(std::make_unique<env::SimKeyValueStore>()),
      disk_latency_ns_(kUsualDiskNs) {}

Machine::~Machine() {
  if (boot_ == nullptr) return;
  doomed_ = true;
  image_ = std::make_unique<env::SimFileSystem>(0);
  store_image_ = std::make_unique<env::SimKeyValueStore>();
  boot_->ForEachExecutor([](MachineExecutor& one) { one.PowerOff(); });
  Bury();
}

int64_t Machine::DiskLatency() {
  return disk_latency_ns_ / 8 +
         static_cast<int64_t>(dice_.Below(static_cast<uint64_t>(disk_latency_ns_)));
}

void Machine::Boot() {
  if (boot_ != nullptr) return;
  ++boot_number_;
  world_.Note(base::StrCat(name(), " boots"));
  InstallFaults();
  boot_ = std::make_unique<Running>(world_, *this, dice_.Next());
  // A disk that fails from the first moment on keeps a node from starting, as it should.
  SetFreeBytes(UINT64_MAX);
  SetStableStoreFails(false);
  cluster::Node::Dependencies dependencies;
  dependencies.fs = fs_.get();
  dependencies.clock = clock_.get();
  dependencies.random = &boot_->random;
  for (size_t i = 0; i < boot_->loops.size(); ++i) {
    dependencies.shards.push_back(
        {.loop = &boot_->loops[i], .disk = &boot_->disks[i], .reader = &boot_->reader});
  }
  dependencies.network = &boot_->io;
  dependencies.dialer = boot_->dialer.get();
  dependencies.tracer = world_.tracer;
  dependencies.open_store = [this](const std::string&) {
    return absl::StatusOr<std::unique_ptr<env::KeyValueStore>>(std::make_unique<BootStore>(*this));
  };
  dependencies.events = [this](cluster::EventLevel level, const std::string& event,
                               const cluster::EventFields& fields) {
    if (level == cluster::EventLevel::kInfo && event == "peer up") return;
    if (event == "damaged log repaired") ++repairs_;
    std::string text = base::StrCat(name(), ": ", event);
    for (const auto& [key, value] : fields) text += base::StrCat(" ", key, "=", value);
    world_.Note(text);
  };
  cluster::NodeOptions node;
  node.broker = options_.broker;
  node.broker.on_recovery = [this](const std::string& topic, PartitionId partition,
                                   const log::RecoveryReport& report) {
    const std::string log = base::StrCat(name(), ": ", topic, "/", partition.value(), ": ");
    for (const log::Damage& damage : report.damages) world_.Note(log + log::Describe(damage));
    for (const std::string& note : report.notes) world_.Note(log + note);
  };
  node.timeouts = options_.timeouts;
  node.metadata_log = options_.metadata_log;
  node.description = {.name = name(), .rpc_address = address(), .rack = "", .version = "sim"};
  if (!options_.founds || founded_) node.join_addresses = options_.others;
  opening_ = true;
  // In two steps: Open would wait for a node that cannot start to stop, which takes threads.
  auto made = cluster::Node::New(std::move(dependencies), std::move(node));
  CAIRN_CHECK(made.ok(), "the options of a machine are fit for a node");
  boot_->node = *std::move(made);
  const absl::Status started = boot_->node->Start();
  opening_ = false;
  // The power may go while the node starts, and keep it from starting.
  if (doomed_) return Bury();
  if (!started.ok()) {
    world_.Find(base::StrCat(name(), " cannot start: ", started.ToString()));
    return Crash(false);
  }
  founded_ = true;
  auto listener = boot_->network->Listen(address());
  CAIRN_CHECK(listener.ok(), "a machine that starts has its port to itself");
  boot_->listener = *std::move(listener);
  AcceptNext();
}

void Machine::AcceptNext() {
  boot_->listener->Accept([this](absl::StatusOr<std::unique_ptr<env::Connection>> accepted) {
    if (!accepted.ok()) return;
    auto connection = std::make_shared<std::unique_ptr<env::Connection>>(*std::move(accepted));
    auto first = std::make_shared<std::string>(1, '\0');
    (*connection)->Read(*first, [this, connection, first](absl::StatusOr<size_t> size) {
      if (!size.ok() || *size != 1 || first->front() != kPeerByte) return;
      node().Accept(std::move(*connection), *first);
    });
    AcceptNext();
  });
}

void Machine::InstallFaults() {
  fs_->SetMutationHook([this](const env::SimCall&) {
    if (crash_at_ == 0 || doomed_ || calm_ || --crash_at_ > 0) return;
    TakeImage();
    if (!opening_) world_.fabric.Post([this] { Bury(); });
  });
  fs_->SetFaultInjector([this](const env::SimCall& call) {
    const uint64_t permille = IsMutation(call.op) ? io_error_permille_ : read_error_permille_;
    if (permille == 0 || calm_ || opening_ || doomed_) return env::SimFault::kNone;
    if (dice_.Below(1000) >= permille) return env::SimFault::kNone;
    if (!IsMutation(call.op)) return env::SimFault::kIoError;
    return dice_.Below(2) == 0 ? env::SimFault::kIoError : env::SimFault::kShortWrite;
  });
}

// The moment of the power cut. What the program does until its task ends reaches nobody.
void Machine::TakeImage() {
  doomed_ = true;
  crash_at_ = 0;
  const uint64_t kind = dice_.Below(8);
  const env::CrashChoice choice = kind == 0   ? env::CrashChoice::DropAll()
                                  : kind == 1 ? env::CrashChoice::KeepAll()
                                  : kind == 2 ? env::CrashChoice::KeepLast()
                                              : env::CrashChoice::Random(dice_.Next());
  image_ = fs_->CrashImage(choice);
  store_image_ = std::make_unique<env::SimKeyValueStore>();
  std::vector<env::KeyValueStore::Change> pairs;
  store_
      ->ForEach("",
                [&](std::string_view key, std::string_view value) {
                  pairs.push_back({std::string(key), std::string(value)});
                })
      .IgnoreError();
  store_image_->Apply(pairs).IgnoreError();
  boot_->ForEachExecutor([](MachineExecutor& one) { one.PowerOff(); });
  silent_ = dice_.Below(2) == 0;
}

void Machine::Bury() {
  if (boot_ == nullptr || !doomed_) return;
  world_.Note(base::StrCat(name(), " is dead"));
  world_.network.Kill(name(),
                      silent_ ? env::SimNetwork::Death::kSilent : env::SimNetwork::Death::kReset);
  boot_->ForEachExecutor([](MachineExecutor& one) { one.Clear(); });
  boot_->held.clear();
  boot_->listener.reset();
  boot_->node.reset();
  boot_.reset();
  fs_ = std::move(image_);
  store_ = std::move(store_image_);
  doomed_ = false;
  paused_ = false;
}

void Machine::Crash(bool silent) {
  if (!up()) return;
  TakeImage();
  silent_ = silent;
  Bury();
}

void Machine::CrashAt(uint64_t mutations) { crash_at_ = mutations; }

void Machine::Wipe() {
  Crash(false);
  Bury();
  world_.Note(base::StrCat(name(), " is wiped"));
  crash_at_ = 0;
  rotten_ = false;
  flipped_.clear();
  fs_ = std::make_unique<env::SimFileSystem>(dice_.Next());
  store_ = std::make_unique<env::SimKeyValueStore>();
}

void Machine::Pause() {
  if (!works()) return;
  paused_ = true;
  world_.network.Pause(name());
  boot_->ForEachExecutor([](MachineExecutor& one) { one.Pause(); });
}

void Machine::Resume() {
  if (!paused_) return;
  paused_ = false;
  if (boot_ == nullptr) return;
  world_.network.Resume(name());
  boot_->ForEachExecutor([](MachineExecutor& one) { one.Resume(); });
}

void Machine::SetIoErrors(uint64_t permille) { io_error_permille_ = permille; }

void Machine::FailNext(env::SimOp op, const std::string& path_part) {
  fs_->FailNext(op, path_part, env::SimFault::kIoError);
}

void Machine::SetFreeBytes(uint64_t bytes) {
  fs_->SetFreeBytes(bytes == UINT64_MAX ? kRoomyDisk : bytes);
}

void Machine::SetStableStoreFails(bool fails) {
  store_->SetFailure(fails ? absl::InternalError("simulated: EIO in the stable store")
                           : absl::OkStatus());
}

bool Machine::Rot(Rotting what) {
  if (!works()) return false;
  struct Candidate {
    std::string path;
    uint64_t from;
    uint64_t size;
  };
  std::vector<Candidate> candidates;
  const auto consider = [&](const std::string& path, uint64_t from, uint64_t least) {
    const auto info = fs_->Stat(path);
    if (info.ok() && info->size_bytes >= least) {
      candidates.push_back({path, from, info->size_bytes});
    }
  };
  if (what == Rotting::kAnything) {
    for (const std::string_view name : {"cairn.json", "controller/metadata.snapshot"}) {
      consider(env::JoinPath(options_.broker.data_dir, name), 0, 1);
    }
  }
  for (const auto& replica : Replicas()) {
    const auto log = replica->log();
    const auto names = fs_->List(log->options().directory);
    if (!names.ok()) continue;
    std::vector<std::string> stores;
    for (const auto& entry : *names) {
      if (entry.name.ends_with(".store")) stores.push_back(entry.name);
    }
    std::sort(stores.begin(), stores.end());
    const bool all_committed = replica->committed_here() + 1 == log->end_index();
    if (what != Rotting::kAnything) {
      stores.resize(log->segment_count() < 2 ? 0 : std::min<size_t>(1, stores.size()));
    } else if (!all_committed && !stores.empty()) {
      stores.pop_back();
    }
    // Of an entry: the header block has two copies of what it says, and room to spare.
    for (const std::string& name : stores) {
      consider(env::JoinPath(log->options().directory, name), log::kStoreHeaderBytes,
               kLeastRottenBytes);
    }
  }
  if (candidates.empty()) return false;
  const Candidate& chosen = candidates[dice_.Below(candidates.size())];
  const uint64_t end =
      what == Rotting::kFirstEntry ? chosen.from + log::kEntryHeaderBytes : chosen.size;
  const uint64_t byte = chosen.from + dice_.Below(end - chosen.from);
  if (!fs_->FlipBit(chosen.path, byte * 8 + dice_.Below(8)).ok()) return false;
  flipped_.push_back({chosen.path, byte, Around(chosen.path, byte)});
  rotten_ = true;
  ++flips_;
  world_.Note(base::StrCat(name(), " rots: ", chosen.path, " at byte ", byte));
  return true;
}

std::vector<std::shared_ptr<consensus::RaftReplica>> Machine::Replicas() const {
  std::vector<std::shared_ptr<consensus::RaftReplica>> replicas;
  if (auto controller = boot_->node->controller_replica(); controller != nullptr) {
    replicas.push_back(std::move(controller));
  }
  for (const auto& hosted : boot_->node->host().All()) {
    if (hosted->replica != nullptr) replicas.push_back(hosted->replica);
  }
  return replicas;
}

// Not the byte alone: a repaired header says other things of what was durable, and with them has
// another checksum, of which a byte may well be the flipped one.
std::string Machine::Around(const std::string& path, uint64_t byte) {
  const Calm calm(*this);
  const auto file = fs_->Open(path, env::OpenMode::kReadOnly);
  if (!file.ok()) return "";
  std::string found(2 * log::kEntryHeaderBytes, '\0');
  const uint64_t from = byte - std::min<uint64_t>(byte, log::kEntryHeaderBytes);
  const auto got = (*file)->ReadAt(from, {found.data(), found.size()});
  found.resize(got.ok() && from + *got > byte ? *got : 0);
  return found;
}

bool Machine::RotRemains() {
  std::erase_if(flipped_,
                [this](const FlippedBit& bit) { return Around(bit.path, bit.byte) != bit.around; });
  return !flipped_.empty();
}

uint64_t Machine::Hold(std::shared_ptr<broker::Partition> partition) {
  boot_->held.emplace(next_hold_, std::move(partition));
  return next_hold_++;
}

void Machine::Release(uint64_t hold) {
  if (boot_ != nullptr) boot_->held.erase(hold);
}

}  // namespace cairn::sim
