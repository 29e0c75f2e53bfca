#include "cluster/controller.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/group_id.h"
#include "env/files.h"
#include "log/records.h"

namespace cairn::cluster {
namespace {

constexpr size_t kReadBytes = 1 << 20;
constexpr Term kFirstTerm{1};
constexpr Index kFirstIndex{1};
// Until a log that could not be read is tried again.
constexpr int64_t kApplyPauseNs = 500'000'000;

// Whether trying again does not help: what is wrong is on the disk, not with it.
bool IsForGood(const absl::Status& stuck) {
  return absl::IsDataLoss(stuck) || absl::IsUnimplemented(stuck);
}

}  // namespace

Controller::Controller(Dependencies dependencies, Listener listener)
    : dependencies_(std::move(dependencies)),
      listener_(std::move(listener)),
      directory_(env::JoinPath(dependencies_.data_dir, "controller")),
      snapshot_(std::make_shared<MetadataSnapshotFile>(
          *dependencies_.fs, env::JoinPath(directory_, "metadata.snapshot"))),
      view_(std::make_shared<MetadataView>()) {}

absl::StatusOr<Controller::Opened> Controller::Open(consensus::StableStore& stable,
                                                    const base::Uuid& cluster_id,
                                                    NodeId first_voter) {
  env::FileSystem& fs = *dependencies_.fs;
  log::LogOptions options;
  options.directory = directory_;
  options.topic_id = cluster_id;
  options.segment_bytes = dependencies_.log.segment_bytes;
  const absl::Status exists = fs.Stat(env::JoinPath(directory_, "log-start")).status();
  if (!exists.ok() && !absl::IsNotFound(exists)) return exists;
  if (!exists.ok()) {
    CAIRN_RETURN_IF_ERROR(env::CreateDirs(fs, directory_));
    if (first_voter.value() != 0) {
      consensus::StableStore::Changes changes(kControllerGroup);
      changes.SetVote(kFirstTerm, NodeId());
      changes.SetConfiguration(kFirstIndex, kFirstTerm,
                               consensus::Configuration::OfVoters({first_voter}));
      CAIRN_RETURN_IF_ERROR(stable.WriteNow(std::move(changes)));
    }
    CAIRN_RETURN_IF_ERROR(log::Log::Create(fs, *dependencies_.clock, options));
  }
  Opened opened;
  log::RecoveryReport report;
  CAIRN_ASSIGN_OR_RETURN(opened.log, log::Log::Open(fs, *dependencies_.clock, options, report));
  // Forming the cluster may have been cut off between the log's creation and its first entry.
  if (first_voter.value() != 0 && opened.log->end_index() == kFirstIndex) {
    const std::vector<log::Entry> first = {log::MakeControlEntry(
        log::EntryKind::kConfiguration, consensus::Configuration::OfVoters({first_voter}).Encode(),
        kFirstIndex, kFirstTerm, Offset(0), dependencies_.clock->WallMs())};
    CAIRN_RETURN_IF_ERROR(opened.log->Write(first));
    CAIRN_RETURN_IF_ERROR(opened.log->Sync());
  }
  opened.state = consensus::LoadCoreState(*opened.log, stable, kControllerGroup);
  if (!opened.state.ok() && !opened.log->damaged()) return opened.state.status();
  CAIRN_ASSIGN_OR_RETURN(MetadataSnapshot snapshot, snapshot_->Load());
  metadata_ = std::move(snapshot.metadata);
  applied_ = snapshot.applied;
  if (applied_ < opened.log->start_offset()) {
    return absl::DataLossError(
        base::StrCat(directory_, " begins at offset ", opened.log->start_offset().value(),
                     ", but its snapshot ends at ", applied_.value(), "; restore it from a copy"));
  }
  Publish();
  return opened;
}

void Controller::SetReplica(std::shared_ptr<consensus::RaftReplica> replica) {
  replica_ = std::move(replica);
}

std::shared_ptr<log::Log> Controller::damaged_log() const {
  base::MutexLock lock(mutex_);
  return damaged_log_;
}

void Controller::SetDamagedLog(std::shared_ptr<log::Log> log) {
  base::MutexLock lock(mutex_);
  damaged_log_ = std::move(log);
}

std::shared_ptr<const MetadataView> Controller::view() const {
  base::MutexLock lock(mutex_);
  return view_;
}

// ---- commands ----

void Controller::Propose(const Command& command, Done done) {
  if (!stuck_.ok()) return done(stuck_, applied_);
  const std::string encoded = Encode(command);
  // What could not be read again would stand in the log for ever, and stop every node at it.
  if (const auto readable = DecodeCommand(encoded); !readable.ok()) {
    return done(absl::InvalidArgumentError(base::StrCat(
                    "impossible command: ", base::StdView(readable.status().message()))),
                applied_);
  }
  log::BatchBuilder builder;
  builder.Add(std::nullopt, encoded, dependencies_.clock->WallMs());
  const auto header = replica_->Propose(builder.Take());
  if (!header.ok()) return done(header.status(), applied_);
  proposals_[header->base_offset] = std::move(done);
}

void Controller::WhenApplied(Offset offset, absl::AnyInvocable<void()> done) {
  dependencies_.loop->Post([this, offset, done = std::move(done)]() mutable {
    if (applied_ >= offset) return done();
    waiting_.emplace(offset, std::move(done));
  });
}

void Controller::OnCommitted(Offset high_watermark) {
  high_watermark_ = high_watermark;
  // The first call, at the start, says no more than where the log begins.
  if (high_watermark > Offset() && high_watermark == applied_) informed_.store(true);
  if (!stuck_.ok() || high_watermark <= applied_) return;
  stuck_ = ApplyUpTo(high_watermark);
  if (stuck_.ok()) informed_.store(true);
  Tell();
  if (!stuck_.ok()) {
    listener_.on_stuck(stuck_);
    if (!IsForGood(stuck_)) ApplyLater();
  }
  MaybeCompact();
}

void Controller::ApplyLater() {
  dependencies_.loop->PostAfter(kApplyPauseNs, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr && !IsForGood(self->stuck_)) self->ApplyAgain();
  });
}

void Controller::ApplyAgain() {
  if (stuck_.ok()) return;
  stuck_ = absl::OkStatus();
  OnCommitted(high_watermark_);
}

// Everybody, of what applied_ is now.
void Controller::Tell() {
  Publish();
  while (!waiting_.empty() && waiting_.begin()->first <= applied_) {
    auto done = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    done();
  }
  listener_.on_metadata(view());
}

absl::Status Controller::ApplyUpTo(Offset end) {
  const auto log = replica_->log();
  while (applied_ < end) {
    CAIRN_ASSIGN_OR_RETURN(const auto entries, log->Read(applied_, end, kReadBytes));
    if (entries.empty()) return absl::DataLossError("the controller's log ends early");
    for (const log::Entry& entry : entries) {
      std::string scratch;
      CAIRN_ASSIGN_OR_RETURN(const auto records, log::UncompressedRecords(entry, scratch));
      log::RecordsReader reader(records, entry.header.base_timestamp_ms);
      log::RecordView record;
      for (Offset offset = entry.header.base_offset;; ++offset) {
        CAIRN_ASSIGN_OR_RETURN(const bool more, reader.Next(record));
        if (!more) break;
        if (offset < applied_) continue;
        CAIRN_ASSIGN_OR_RETURN(const Command command, DecodeCommand(record.value.value_or("")));
        auto result = Apply(metadata_, command);
        applied_ = offset + 1;
        ++applied_since_snapshot_;
        const auto proposal = proposals_.find(offset);
        if (proposal == proposals_.end()) continue;
        Done done = std::move(proposal->second);
        proposals_.erase(proposal);
        Publish();
        done(std::move(result), applied_);
      }
    }
  }
  return absl::OkStatus();
}

void Controller::OnRepaired() {
  if (absl::IsDataLoss(stuck_)) ApplyAgain();
}

void Controller::OnAbandoned(const absl::Status& error) {
  for (auto& [offset, done] : std::exchange(proposals_, {})) done(error, applied_);
}

void Controller::DropWaiting() {
  const auto proposals = std::exchange(proposals_, {});
  const auto waiting = std::exchange(waiting_, {});
  if (replica_ != nullptr) replica_->DropWaiting();
}

void Controller::OnLeader(NodeId leader) { listener_.on_leader(leader); }

void Controller::Publish() {
  auto view = std::make_shared<MetadataView>(MetadataView{metadata_, applied_});
  base::MutexLock lock(mutex_);
  view_ = std::move(view);
}

// ---- snapshots ----

// The state may be ahead of the snapshot's index: commands that follow and are in it already are
// passed over by their offset.
std::string Controller::SnapshotState() { return MetadataSnapshot::Encode(applied_, metadata_); }

consensus::Replica::Owner::BeforeReset Controller::OnReset(Offset start, const std::string& state) {
  auto snapshot = MetadataSnapshot::Decode(state);
  absl::Status status = snapshot.status();
  if (status.ok() && snapshot->applied < start) {
    status = absl::DataLossError("a snapshot of the metadata ends before the log begins");
  }
  if (!status.ok()) {
    listener_.on_stuck(status);
    return [status] { return status; };
  }
  stuck_ = absl::OkStatus();  // what could not be applied is replaced
  if (snapshot->applied > applied_) {
    metadata_ = std::move(snapshot->metadata);
    applied_ = snapshot->applied;
    Tell();
  }
  // Also when nothing in it is new here: what is on the disk may be older. A log that begins
  // without the state before it is lost.
  return [file = snapshot_, applied = applied_,
          encoded = MetadataSnapshot::Encode(applied_, metadata_)] {
    return file->Write(applied, encoded);
  };
}

void Controller::MaybeCompact() {
  if (compacting_ || applied_since_snapshot_ < dependencies_.log.compact_every) return;
  compacting_ = true;
  applied_since_snapshot_ = 0;
  replica_->RunOnLog(
      [file = snapshot_, applied = applied_,
       encoded = MetadataSnapshot::Encode(applied_, metadata_)](log::Log& log) {
        CAIRN_RETURN_IF_ERROR(file->Write(applied, encoded));
        return log.DeletePrefix(applied);
      },
      // Tried again after as many commands; until then the log is longer than it need be.
      [this](const absl::Status&) { compacting_ = false; });
}

}  // namespace cairn::cluster
