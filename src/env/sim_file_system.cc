#include "env/sim_file_system.h"

#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/posix_error.h"
#include "env/sim_core.h"
#include "env/sim_file.h"

namespace cairn::env {
namespace {

// Whether `inode` is `below` or stands under it.
bool Contains(const SimInodePtr& below, const SimInodePtr& inode) {
  if (below == inode) return true;
  for (const auto& [name, child] : below->entries) {
    if (child->is_directory && Contains(child, inode)) return true;
  }
  return false;
}

// What rename(2) says about two places that both were found.
int CheckRename(const SimTree::Place& from, const SimTree::Place& to) {
  if (from.inode == nullptr) return ENOENT;
  if (from.directory == nullptr || to.directory == nullptr) return EBUSY;  // the root
  if (from.inode->is_directory && Contains(from.inode, to.directory)) return EINVAL;
  if (to.inode == nullptr) return 0;
  if (to.inode->is_directory && !from.inode->is_directory) return EISDIR;
  if (!to.inode->is_directory && from.inode->is_directory) return ENOTDIR;
  return to.inode->entries.empty() ? 0 : ENOTEMPTY;
}

int FindExisting(const SimTree& tree, const std::string& path, SimTree::Place& place) {
  if (const int error = tree.Find(path, place); error != 0) return error;
  return place.inode == nullptr ? ENOENT : 0;
}

}  // namespace

SimFileSystem::SimFileSystem(uint64_t seed) : SimFileSystem(seed, SimTree()) {}
SimFileSystem::SimFileSystem(uint64_t seed, SimTree tree)
    : core_(std::make_shared<SimCore>(seed, std::move(tree))) {}
SimFileSystem::~SimFileSystem() = default;

absl::StatusOr<std::unique_ptr<File>> SimFileSystem::Open(const std::string& path, OpenMode mode) {
  const bool creates = mode == OpenMode::kCreate || mode == OpenMode::kCreatePrivate;
  const SimCore::Call call = core_->Begin(creates ? SimOp::kCreate : SimOp::kOpen, "open", path);
  base::MutexLock lock(core_->mutex);
  CAIRN_RETURN_IF_ERROR(core_->Refusal(call, core_->epoch()));
  SimTree::Place place;
  if (const int error = core_->tree().Find(path, place)) return PosixError(error, "open", path);
  if (creates) {
    if (place.inode != nullptr) return PosixError(EEXIST, "open", path);
    place.inode = core_->tree().Create(place, false);
  }
  if (place.inode == nullptr) return PosixError(ENOENT, "open", path);
  if (place.inode->is_directory) return PosixError(EISDIR, "open", path);
  return std::make_unique<SimFile>(core_, place.inode, path, mode != OpenMode::kReadOnly);
}

void SimFileSystem::SyncAll(std::span<File* const> files, std::span<absl::Status> results) {
  CAIRN_CHECK(files.size() == results.size(), "every file needs a place for its result");
  for (size_t i = 0; i < files.size(); ++i) results[i] = files[i]->Sync();
}

absl::StatusOr<FileInfo> SimFileSystem::Stat(const std::string& path) {
  const SimCore::Call call = core_->Begin(SimOp::kStat, "stat", path);
  base::MutexLock lock(core_->mutex);
  CAIRN_RETURN_IF_ERROR(core_->Refusal(call, core_->epoch()));
  SimTree::Place place;
  if (const int error = FindExisting(core_->tree(), path, place)) {
    return PosixError(error, "stat", path);
  }
  return FileInfo{place.inode->is_directory, place.inode->data.size()};
}

absl::StatusOr<std::vector<DirectoryEntry>> SimFileSystem::List(const std::string& directory) {
  const SimCore::Call call = core_->Begin(SimOp::kList, "list", directory);
  base::MutexLock lock(core_->mutex);
  CAIRN_RETURN_IF_ERROR(core_->Refusal(call, core_->epoch()));
  SimTree::Place place;
  int error = FindExisting(core_->tree(), directory, place);
  if (error == 0 && !place.inode->is_directory) error = ENOTDIR;
  if (error != 0) return PosixError(error, "list", directory);
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, inode] : place.inode->entries) {
    entries.push_back({name, inode->is_directory});
  }
  return entries;
}

absl::Status SimFileSystem::CreateDir(const std::string& path) {
  const SimCore::Call call = core_->Begin(SimOp::kCreateDir, "create directory", path);
  base::MutexLock lock(core_->mutex);
  CAIRN_RETURN_IF_ERROR(core_->Refusal(call, core_->epoch()));
  SimTree::Place place;
  int error = core_->tree().Find(path, place);
  if (error == 0 && place.inode != nullptr) error = EEXIST;
  if (error != 0) return PosixError(error, "create directory", path);
  core_->tree().Create(place, true);
  return absl::OkStatus();
}

absl::Status SimFileSystem::RemoveFile(const std::string& path) {
  const SimCore::Call call = core_->Begin(SimOp::kRemoveFile, "remove", path);
  base::MutexLock lock(core_->mutex);
  CAIRN_RETURN_IF_ERROR(core_->Refusal(call, core_->epoch()));
  SimTree::Place place;
  int error = FindExisting(core_->tree(), path, place);
  if (error == 0 && place.inode->is_directory) error = EISDIR;
  if (error != 0) return PosixError(error, "remove", path);
  core_->tree().Remove(place);
  return absl::OkStatus();
}

absl::Status SimFileSystem::RemoveDir(const std::string& path) {
  const SimCore::Call call = core_->Begin(SimOp::kRemoveDir, "remove directory", path);
  base::MutexLock lock(core_->mutex);
  CAIRN_RETURN_IF_ERROR(core_->Refusal(call, core_->epoch()));
  SimTree::Place place;
  int error = FindExisting(core_->tree(), path, place);
  if (error == 0 && !place.inode->is_directory) error = ENOTDIR;
  if (error == 0 && place.directory == nullptr) error = EBUSY;  // the root
  if (error == 0 && !place.inode->entries.empty()) error = ENOTEMPTY;
  if (error != 0) return PosixError(error, "remove directory", path);
  core_->tree().Remove(place);
  return absl::OkStatus();
}

absl::Status SimFileSystem::Rename(const std::string& from, const std::string& to) {
  const SimCore::Call call = core_->Begin(SimOp::kRename, "rename", from);
  base::MutexLock lock(core_->mutex);
  CAIRN_RETURN_IF_ERROR(core_->Refusal(call, core_->epoch()));
  SimTree::Place source;
  SimTree::Place target;
  int error = core_->tree().Find(from, source);
  if (error == 0) error = core_->tree().Find(to, target);
  if (error == 0 && source.inode != nullptr && source.inode == target.inode) {
    return absl::OkStatus();  // two names of one file: rename(2) does nothing
  }
  if (error == 0) error = CheckRename(source, target);
  if (error != 0) return PosixError(error, "rename", from + " to " + to);
  core_->tree().Rename(source, target);
  return absl::OkStatus();
}

absl::Status SimFileSystem::SyncDir(const std::string& directory) {
  const SimCore::Call call = core_->Begin(SimOp::kSyncDir, "fsync", directory);
  base::MutexLock lock(core_->mutex);
  absl::Status refusal = core_->Refusal(call, core_->epoch());
  if (!refusal.ok() && call.epoch != core_->epoch()) return refusal;
  SimTree::Place place;
  int error = FindExisting(core_->tree(), directory, place);
  if (error == 0 && !place.inode->is_directory) error = ENOTDIR;
  if (error != 0) return PosixError(error, "open directory", directory);
  if (refusal.ok()) {
    core_->tree().SyncDirectory(place.inode, nullptr);
  } else {
    CrashDice dice = core_->FaultDice();
    core_->tree().SyncDirectory(place.inode, &dice);
  }
  return refusal;
}

absl::StatusOr<std::unique_ptr<FileLock>> SimFileSystem::Lock(const std::string& path) {
  const SimCore::Call call = core_->Begin(SimOp::kLock, "lock", path);
  base::MutexLock lock(core_->mutex);
  CAIRN_RETURN_IF_ERROR(core_->Refusal(call, core_->epoch()));
  SimTree::Place place;
  int error = core_->tree().Find(path, place);
  if (error == 0 && place.inode != nullptr && place.inode->is_directory) error = EISDIR;
  if (error != 0) return PosixError(error, "lock", path);
  if (place.inode == nullptr) place.inode = core_->tree().Create(place, false);
  if (place.inode->locked) {
    return absl::FailedPreconditionError(
        base::StrCat("lock ", path, ": held by another simulated process"));
  }
  return std::make_unique<SimFileLock>(core_, place.inode, path);
}

absl::StatusOr<uint64_t> SimFileSystem::FreeBytes(const std::string& path) {
  const SimCore::Call call = core_->Begin(SimOp::kFreeBytes, "statvfs", path);
  base::MutexLock lock(core_->mutex);
  CAIRN_RETURN_IF_ERROR(core_->Refusal(call, core_->epoch()));
  SimTree::Place place;
  if (const int error = FindExisting(core_->tree(), path, place)) {
    return PosixError(error, "statvfs", path);
  }
  return core_->tree().free_bytes();
}

void SimFileSystem::Crash(const CrashChoice& choice) {
  base::MutexLock lock(core_->mutex);
  core_->Restart(core_->tree().AfterCrash(choice));
}

void SimFileSystem::Kill() {
  base::MutexLock lock(core_->mutex);
  core_->Restart(core_->tree().AfterKill());
}

std::unique_ptr<SimFileSystem> SimFileSystem::CrashImage(const CrashChoice& choice) const {
  base::MutexLock lock(core_->mutex);
  return std::unique_ptr<SimFileSystem>(
      new SimFileSystem(choice.seed, core_->tree().AfterCrash(choice)));
}

std::unique_ptr<SimFileSystem> SimFileSystem::KillImage() const {
  base::MutexLock lock(core_->mutex);
  return std::unique_ptr<SimFileSystem>(new SimFileSystem(0, core_->tree().AfterKill()));
}

void SimFileSystem::SetMutationHook(SimHook hook) { core_->SetHook(std::move(hook)); }
void SimFileSystem::SetFaultInjector(SimFaultInjector injector) {
  core_->SetInjector(std::move(injector));
}
void SimFileSystem::FailCall(uint64_t number, SimFault fault) { core_->FailCall(number, fault); }
void SimFileSystem::FailNext(SimOp op, std::string path_part, SimFault fault, int times) {
  core_->FailNext(op, std::move(path_part), fault, times);
}
void SimFileSystem::ClearFaults() { core_->ClearFaults(); }

void SimFileSystem::SetFreeBytes(uint64_t bytes) {
  base::MutexLock lock(core_->mutex);
  core_->tree().set_free_bytes(bytes);
}

uint64_t SimFileSystem::call_count() const { return core_->call_count(); }
uint64_t SimFileSystem::call_count(SimOp op) const { return core_->call_count(op); }

absl::Status SimFileSystem::FlipBit(const std::string& path, uint64_t bit) {
  base::MutexLock lock(core_->mutex);
  SimTree::Place place;
  if (const int error = FindExisting(core_->tree(), path, place)) {
    return PosixError(error, "flip a bit of", path);
  }
  if (bit / 8 >= place.inode->data.size()) {
    return absl::OutOfRangeError(base::StrCat("flip a bit of ", path, ": bit ", bit,
                                              " of a file of ", place.inode->data.size(),
                                              " bytes"));
  }
  place.inode->data.FlipBit(bit);
  return absl::OkStatus();
}

}  // namespace cairn::env
