#include "consensus/group_commit.h"

#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::consensus {

namespace {

absl::Status Perform(const LogWork& work, log::Log& log) {
  if (work.before_reset) CAIRN_RETURN_IF_ERROR(work.before_reset());
  if (work.reset.has_value()) CAIRN_RETURN_IF_ERROR(log.Reset(*work.reset));
  if (work.truncate_from.has_value()) {
    CAIRN_RETURN_IF_ERROR(log.TruncateSuffix(*work.truncate_from));
  }
  if (work.entries.empty()) return absl::OkStatus();
  const log::EntryHeader& first = work.entries.front().header;
  if (first.index != log.end_index() || first.base_offset != log.end_offset()) {
    // Entries of a peer whose offsets are not those of our log: never written.
    return absl::InternalError(
        base::StrCat("entry at index ", first.index.value(), " and offset ",
                     first.base_offset.value(), " does not continue a log that ends at index ",
                     log.end_index().value(), " and offset ", log.end_offset().value()));
  }
  return log.Write(work.entries);
}

}  // namespace

struct GroupCommit::Group {
  struct Member {
    std::shared_ptr<Source> source;  // shared because it may be forgotten while the disk works
    std::shared_ptr<log::Log> log;   // shared because its owner may open another one meanwhile
    LogWork work;
    absl::Status status;

    void Report() { source->OnPersisted(work, status); }
  };
  std::vector<Member> members;
};

// On the disk executor.
void GroupCommit::Persist(Group& group) {
  std::vector<log::Log*> written;
  std::vector<Group::Member*> owners;
  size_t entries = 0;
  for (Group::Member& member : group.members) {
    member.status = Perform(member.work, *member.log);
    if (!member.status.ok()) continue;
    written.push_back(member.log.get());
    owners.push_back(&member);
    entries += member.work.entries.size();
  }
  if (written.empty()) return;
  std::vector<absl::Status> synced(written.size());
  const int64_t start_ns = clock_.MonotonicNs();
  log::SyncLogs(fs_, written, synced);
  counters_.sync_ns.Observe(clock_.MonotonicNs() - start_ns);
  counters_.group_entries.Observe(static_cast<int64_t>(entries));
  for (size_t i = 0; i < owners.size(); ++i) owners[i]->status = std::move(synced[i]);
}

void GroupCommit::Schedule(std::shared_ptr<Source> source) {
  scheduled_.push_back(std::move(source));
  if (busy_ || start_posted_) return;
  // Behind what the loop already has to do, so that requests which came together go together.
  start_posted_ = true;
  loop_.Post([this] {
    start_posted_ = false;
    StartIfIdle();
  });
}

void GroupCommit::StartIfIdle() {
  if (busy_ || scheduled_.empty()) return;
  auto group = std::make_unique<Group>();
  for (auto& source : std::exchange(scheduled_, {})) {
    LogWork work = source->TakePending();
    if (work.empty()) continue;
    auto log = source->writable_log();
    group->members.push_back({std::move(source), std::move(log), std::move(work), {}});
  }
  if (group->members.empty()) return;
  busy_ = true;
  disk_.Post([this, group = std::move(group)]() mutable {
    Persist(*group);
    loop_.Post([this, group = std::move(group)]() mutable { Finish(std::move(group)); });
  });
}

void GroupCommit::Finish(std::unique_ptr<Group> group) {
  groups_.fetch_add(1, std::memory_order_relaxed);
  busy_ = false;
  // A source whose entries were not stored takes back what follows them before it can reach the
  // disk. Then the disk gets its next group, and only then the producers of this one their answers.
  for (Group::Member& member : group->members) {
    if (!member.status.ok()) member.Report();
  }
  StartIfIdle();
  for (Group::Member& member : group->members) {
    if (member.status.ok()) member.Report();
  }
}

void GroupCommit::Run(absl::AnyInvocable<absl::Status()> work,
                      absl::AnyInvocable<void(absl::Status)> done) {
  disk_.Post([this, work = std::move(work), done = std::move(done)]() mutable {
    absl::Status status = work();
    loop_.Post([status = std::move(status), done = std::move(done)]() mutable {
      done(std::move(status));
    });
  });
}

}  // namespace cairn::consensus
