#include "cluster/repairer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/entries_codec.h"
#include "cluster/group_id.h"
#include "log/segment_repair.h"

namespace cairn::cluster {
namespace {

// Between two attempts at one log: first and longest.
constexpr int64_t kFirstRepairPauseMs = 1'000;
constexpr int64_t kLongestRepairPauseMs = 60'000;
constexpr int64_t kFetchTimeoutNs = 10'000'000'000;
// A log that changes under each attempt is left alone for a while.
constexpr int kMostPreparations = 1'000;

using Progress = log::SegmentRepair::Progress;

}  // namespace

// The repair of one log, segment by segment. Its steps hop between the controller's loop, which
// decides and asks, the reader, which copies, and the writer's place.
class Repairer::Job : public std::enable_shared_from_this<Job> {
 public:
  // `sources` is not empty.
  Job(std::shared_ptr<Repairer> owner, Patient patient, std::vector<NodeId> sources)
      : owner_(std::move(owner)), patient_(std::move(patient)), sources_(std::move(sources)) {}

  // What it does now. On the controller's loop, like everything that is not marked.
  std::string words() const {
    return base::StrCat("being refetched from node ", sources_[source_].value());
  }
  GroupId group() const { return patient_.group; }

  void Prepare() {
    if (owner_->stopped_) return;
    if (++preparations_ > kMostPreparations) {
      return Finish(absl::AbortedError("the log changes too often"));
    }
    repair_.reset();
    auto target = std::make_shared<std::optional<log::RepairTarget>>();
    RunOnLog(
        [target](log::Log& log) {
          auto prepared = log.PrepareRepair();
          if (!prepared.ok()) return prepared.status();
          *target = *std::move(prepared);
          return absl::OkStatus();
        },
        [self = shared_from_this(), target](const absl::Status& status) {
          if (!status.ok() || !target->has_value()) return self->Finish(status);
          self->OnReader([self, target] { self->Begin(**std::move(target)); });
        });
  }

 private:
  // ---- on the reader ----

  void Begin(log::RepairTarget target) {
    auto begun = log::SegmentRepair::Begin(*owner_->dependencies_.fs, std::move(target));
    if (!begun.ok()) return FinishFromReader(begun.status());
    repair_ = *std::move(begun);
    Step();
  }

  // One step at a time, so that whoever else reads gets its turn.
  void Step() {
    const auto progress = repair_->Step();
    if (!progress.ok()) return FinishFromReader(progress.status());
    switch (*progress) {
      case Progress::kMore:
        return OnReader([self = shared_from_this()] { self->Step(); });
      case Progress::kEntries:
        return OnLoop([self = shared_from_this()] { self->Fetch(); });
      case Progress::kDone:
        return OnLoop([self = shared_from_this()] { self->Adopt(); });
    }
  }

  void TakeAnswer(absl::StatusOr<std::string> answer) {
    auto response = answer.ok() ? DecodeEntriesResponse(*std::move(answer))
                                : absl::StatusOr<EntriesResponse>(answer.status());
    if (response.ok() && response->entries.empty()) {
      return OnLoop([self = shared_from_this(), response = *std::move(response)] {
        self->TakePruned(response.first, response.start_offset, response.state);
      });
    }
    const absl::Status taken =
        response.ok() ? repair_->Take(response->entries, response->term_before) : response.status();
    if (!taken.ok()) {
      return OnLoop([self = shared_from_this(), taken] { self->AskAnother(taken); });
    }
    OnReader([self = shared_from_this()] { self->Step(); });
  }

  void StartAt(const log::LogStart& first) {
    if (const absl::Status begun = repair_->StartAt(first); !begun.ok()) {
      return FinishFromReader(begun);
    }
    Step();
  }

  void FinishFromReader(absl::Status status) {
    OnLoop([self = shared_from_this(), status = std::move(status)] { self->Finish(status); });
  }

  // ---- on the controller's loop ----

  void Fetch() {
    EntriesRequest request;
    request.group = patient_.group;
    request.from = repair_->next_index();
    request.limit = repair_->wanted_limit();
    request.max_bytes = kFetchBytes;
    owner_->dependencies_.transport->Call(
        sources_[source_], static_cast<uint16_t>(PeerMethod::kEntries), Encode(request),
        kFetchTimeoutNs, [self = shared_from_this()](absl::StatusOr<std::string> answer) {
          self->OnReader([self, answer = std::move(answer)]() mutable {
            self->TakeAnswer(std::move(answer));
          });
        });
  }

  // That one does not have what is needed: the next, until all were asked in a row.
  void AskAnother(const absl::Status& why) {
    why_ += base::StrCat(why_.empty() ? "" : "; ", "node ", sources_[source_].value(), ": ",
                         base::StdView(why.message()));
    if (++source_ == sources_.size()) {
      source_ = 0;
      return Finish(absl::UnavailableError(why_));
    }
    Fetch();
  }

  // Retention, or a snapshot, has removed elsewhere what is damaged here: it is dropped here, too.
  void TakePruned(const log::LogStart& first, Offset start, const std::string& state) {
    if (first.index <= repair_->next_index()) {
      return AskAnother(absl::UnavailableError("it answered with nothing"));
    }
    consensus::Replica::Owner::BeforeReset before;
    if (patient_.group == kControllerGroup) {
      before = owner_->dependencies_.controller->OnReset(start, state);
    }
    RunOnLog(
        [start, before](log::Log& log) {
          if (before) CAIRN_RETURN_IF_ERROR(before());
          return log.DeletePrefix(std::min(start, log.end_offset()));
        },
        [self = shared_from_this(), first](const absl::Status& status) {
          if (!status.ok()) return self->Finish(status);
          if (first.index >= self->repair_->target().end_index) return self->Prepare();
          self->OnReader([self, first] { self->StartAt(first); });
        });
  }

  void Adopt() {
    RunOnLog([self = shared_from_this()](log::Log& log) { return log.AdoptRepair(*self->repair_); },
             [self = shared_from_this()](const absl::Status& status) {
               if (!status.ok() && !absl::IsAborted(status)) return self->Finish(status);
               if (status.ok()) {
                 ++self->segments_;
                 self->fetched_ += self->repair_->fetched_entries();
                 self->why_.clear();
               }
               self->Prepare();
             });
  }

  void Finish(const absl::Status& status) {
    if (owner_->stopped_) return;
    owner_->OnJobDone(
        patient_.group, status,
        status.ok()
            ? base::StrCat(segments_, segments_ == 1 ? " segment" : " segments", " made anew with ",
                           fetched_, " entries of node ", sources_[source_].value())
            : std::string(status.message()));
  }

  // ---- hops; all end when the repairer is stopped ----

  template <typename Task>
  void OnReader(Task task) {
    if (owner_->stopped_) return;
    patient_.reader->Post([self = shared_from_this(), task = std::move(task)]() mutable {
      if (!self->owner_->stopped_) task();
    });
  }
  template <typename Task>
  void OnLoop(Task task) {
    if (owner_->stopped_) return;
    owner_->dependencies_.loop->Post([self = shared_from_this(), task = std::move(task)]() mutable {
      if (!self->owner_->stopped_) task();
    });
  }
  template <typename Done>
  void RunOnLog(consensus::Replica::LogOperation operation, Done done) {
    patient_.run_on_log(std::move(operation),
                        [self = shared_from_this(), done = std::move(done)](absl::Status status) {
                          self->OnLoop([done, status = std::move(status)] { done(status); });
                        });
  }

  const std::shared_ptr<Repairer> owner_;
  const Patient patient_;
  const std::vector<NodeId> sources_;
  size_t source_ = 0;
  int preparations_ = 0;
  std::string why_;  // what those said that were asked in vain
  std::unique_ptr<log::SegmentRepair> repair_;
  uint64_t segments_ = 0;
  uint64_t fetched_ = 0;
};

Repairer::Patient Repairer::OfReplica(GroupId group,
                                      std::shared_ptr<consensus::RaftReplica> replica) const {
  const broker::ShardExecutors& shard = dependencies_.host->executors(group);
  Patient patient;
  patient.group = group;
  patient.log = replica->log();
  patient.loop = shard.loop;
  patient.reader = shard.reader != nullptr ? shard.reader : shard.disk;
  patient.run_on_log = [loop = shard.loop, replica = std::move(replica)](
                           consensus::Replica::LogOperation operation,
                           absl::AnyInvocable<void(absl::Status)> done) {
    loop->Post([replica, operation = std::move(operation), done = std::move(done)]() mutable {
      replica->RunOnLog(std::move(operation), std::move(done));
    });
  };
  return patient;
}

// What was closed or removed meanwhile may have been made anew, in the same place.
Repairer::Patient Repairer::OfClosedLog(GroupId group, std::shared_ptr<log::Log> log,
                                        std::function<std::shared_ptr<log::Log>()> here) const {
  const broker::ShardExecutors& shard = dependencies_.host->executors(group);
  Patient patient;
  patient.group = group;
  patient.log = log;
  patient.loop = shard.loop;
  patient.reader = shard.reader != nullptr ? shard.reader : shard.disk;
  patient.run_on_log = [host = dependencies_.host, loop = shard.loop, group, log = std::move(log),
                        here = std::move(here)](consensus::Replica::LogOperation operation,
                                                absl::AnyInvocable<void(absl::Status)> done) {
    loop->Post([host, group, log, here, operation = std::move(operation),
                done = std::move(done)]() mutable {
      host->group_commit(group).Run(
          [log, here, operation = std::move(operation)]() mutable {
            if (here() != log) return absl::UnavailableError("the replica was closed");
            return operation(*log);
          },
          std::move(done));
    });
  };
  return patient;
}

std::vector<Repairer::Patient> Repairer::Damaged() const {
  std::vector<Patient> patients;
  const auto controller = dependencies_.controller;
  if (auto replica = controller->shared_replica(); replica != nullptr) {
    if (replica->log()->damaged()) {
      patients.push_back(OfReplica(kControllerGroup, std::move(replica)));
    }
  } else if (auto log = controller->damaged_log(); log != nullptr) {
    patients.push_back(OfClosedLog(kControllerGroup, std::move(log),
                                   [controller] { return controller->damaged_log(); }));
  }
  for (const auto& hosted : dependencies_.host->All()) {
    const GroupId group = hosted->spec.group;
    if (hosted->replica != nullptr) {
      if (hosted->replica->log()->damaged()) patients.push_back(OfReplica(group, hosted->replica));
    } else if (hosted->damaged_log != nullptr) {
      patients.push_back(
          OfClosedLog(group, hosted->damaged_log, [host = dependencies_.host, group] {
            const auto now = host->Find(group);
            return now != nullptr ? now->damaged_log : nullptr;
          }));
    }
  }
  return patients;
}

void Repairer::Look() {
  if (stopped_) return;
  const std::vector<Patient> patients = Damaged();
  const int64_t now_ms = dependencies_.clock->MonotonicNs() / 1'000'000;
  for (const Patient& patient : patients) {
    // Before it is repaired: it must not vote.
    if (patient.group == kControllerGroup) {
      const auto replica = dependencies_.controller->shared_replica();
      if (replica != nullptr) replica->CheckDamage();
    } else if (const auto hosted = dependencies_.host->Find(patient.group);
               hosted != nullptr && hosted->replica != nullptr) {
      patient.loop->Post([replica = hosted->replica] { replica->CheckDamage(); });
    }
  }
  std::erase_if(attempts_, [&](const auto& attempt) {
    return std::none_of(patients.begin(), patients.end(),
                        [&](const Patient& patient) { return patient.group == attempt.first; });
  });
  for (const Patient& patient : patients) {
    if (job_ != nullptr) break;
    Attempts& attempts = attempts_[patient.group];
    if (attempts.next_ms > now_ms) continue;
    std::vector<NodeId> sources = dependencies_.sources(patient.group);
    if (sources.empty()) {
      attempts.words = "there is no other replica to refetch it from";
      continue;
    }
    const auto job = std::make_shared<Job>(shared_from_this(), patient, std::move(sources));
    const auto damages = patient.log->damages();
    if (attempts.pause_ms == 0) {
      dependencies_.event(Dependencies::Event::kBegun, patient.group,
                          base::StrCat(damages.empty() ? std::string() : Describe(damages.front()),
                                       "; ", job->words()));
    }
    job_ = job;
    job->Prepare();
  }
  Report(patients);
}

void Repairer::Report(const std::vector<Patient>& patients) {
  if (patients.empty() && !reported_) return;
  reported_ = !patients.empty();
  DamageReport report;
  for (const Patient& patient : patients) {
    if (report.size() == kMaxGroupsPerDamageReport) break;
    const auto damages = patient.log->damages();
    const auto attempts = attempts_.find(patient.group);
    std::string doing = "its repair has to wait";
    if (job_ != nullptr && job_->group() == patient.group) {
      doing = job_->words();
    } else if (attempts != attempts_.end() && !attempts->second.words.empty()) {
      doing = base::StrCat("not repaired yet: ", attempts->second.words);
    }
    report[patient.group] =
        base::StrCat(damages.empty() ? std::string("its log does not say which terms it holds")
                                     : Describe(damages.front()),
                     "; ", doing);
  }
  dependencies_.report(report);
}

void Repairer::OnJobDone(GroupId group, const absl::Status& status, const std::string& words) {
  job_.reset();
  Attempts& attempts = attempts_[group];
  if (status.ok()) {
    attempts_.erase(group);
    dependencies_.event(Dependencies::Event::kDone, group, words);
    return OnRepaired(group);
  }
  attempts.pause_ms = std::clamp(attempts.pause_ms * 2, kFirstRepairPauseMs, kLongestRepairPauseMs);
  attempts.next_ms = dependencies_.clock->MonotonicNs() / 1'000'000 + attempts.pause_ms;
  if (attempts.words != words) dependencies_.event(Dependencies::Event::kFailed, group, words);
  attempts.words = words;
}

void Repairer::OnRepaired(GroupId group) {
  if (group == kControllerGroup) {
    const auto replica = dependencies_.controller->shared_replica();
    if (replica == nullptr) return dependencies_.reopen(group);
    replica->CheckDamage();
    return dependencies_.controller->OnRepaired();
  }
  const auto hosted = dependencies_.host->Find(group);
  if (hosted == nullptr) return;
  if (hosted->replica == nullptr || hosted->incomplete) return dependencies_.reopen(group);
  hosted->loop->Post([replica = hosted->replica] { replica->CheckDamage(); });
}

void Repairer::Stop() {
  stopped_ = true;
  job_.reset();
}

}  // namespace cairn::cluster
