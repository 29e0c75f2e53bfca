#include "env/sim_file.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/posix_error.h"

namespace cairn::env {
namespace {

// Shared by File::Sync and Mapping::Sync.
absl::Status SyncInode(const SimHandle& handle, SimOp op, std::string_view operation) {
  SimCore& core = *handle.core;
  const SimCore::Call call = core.Begin(op, operation, handle.path);
  base::MutexLock lock(core.mutex);
  absl::Status refusal = core.Refusal(call, handle.epoch);
  if (refusal.ok()) {
    handle.inode->data.Sync();
  } else if (handle.epoch == core.epoch()) {
    CrashDice dice = core.FaultDice();
    handle.inode->data.FailSync(dice, core.random.Below(2) == 0);
  }
  return refusal;
}

class SimMapping final : public Mapping {
 public:
  // With the core's mutex held.
  SimMapping(const SimHandle& file, uint64_t size_bytes)
      : handle_(file.core, file.inode, file.path),
        memory_(file.inode->data.Map()),
        bytes_(memory_->data(), size_bytes) {}
  ~SimMapping() override {
    base::MutexLock lock(handle_.core->mutex);
    if (handle_.epoch == handle_.core->epoch()) handle_.inode->data.Unmap();
  }
  SimMapping(const SimMapping&) = delete;
  SimMapping& operator=(const SimMapping&) = delete;

  std::span<char> bytes() override { return bytes_; }
  absl::Status Sync() override { return SyncInode(handle_, SimOp::kMappingSync, "msync"); }

 private:
  const SimHandle handle_;
  const std::shared_ptr<std::string> memory_;  // the file's, while there is no crash
  const std::span<char> bytes_;
};

}  // namespace

SimHandle::SimHandle(std::shared_ptr<SimCore> c, SimInodePtr i, std::string p)
    : core(std::move(c)), inode(std::move(i)), path(std::move(p)), epoch(core->epoch()) {
  ++inode->opens;
}

SimHandle::~SimHandle() {
  base::MutexLock lock(core->mutex);
  if (epoch != core->epoch()) return;
  --inode->opens;
  core->tree().ReleaseIfUnused(*inode);
}

absl::StatusOr<size_t> SimFile::ReadAt(uint64_t position, std::span<char> into) const {
  const SimCore::Call call = handle_.core->Begin(SimOp::kRead, "read", handle_.path);
  base::MutexLock lock(handle_.core->mutex);
  CAIRN_RETURN_IF_ERROR(handle_.core->Refusal(call, handle_.epoch));
  return handle_.inode->data.Read(position, into);
}

absl::Status SimFile::WriteAt(uint64_t position, std::span<const std::string_view> buffers) {
  SimCore& core = *handle_.core;
  const SimCore::Call call = core.Begin(SimOp::kWrite, "write", handle_.path);
  std::string data;
  for (const std::string_view buffer : buffers) data.append(buffer);

  base::MutexLock lock(core.mutex);
  absl::Status refusal = core.Refusal(call, handle_.epoch);
  if (refusal.ok()) refusal = CheckWritable(call);
  if (!refusal.ok()) {
    const bool is_short = call.fault == SimFault::kShortWrite && handle_.epoch == core.epoch() &&
                          is_writable_ && !data.empty();
    if (!is_short) return refusal;
    data.resize(core.random.Below(data.size()));
  }
  if (data.empty()) return refusal;
  const uint64_t end = position + data.size();
  const uint64_t room = core.tree().Grow(*handle_.inode, end);
  if (room < end) {
    if (refusal.ok()) refusal = PosixError(ENOSPC, "write", handle_.path);
    data.resize(room > position ? room - position : 0);
  }
  handle_.inode->data.Write(position, std::move(data), core.tree().NextSequence());
  return refusal;
}

absl::Status SimFile::Sync() { return SyncInode(handle_, SimOp::kSync, "fdatasync"); }

absl::Status SimFile::Truncate(uint64_t size_bytes) {
  SimCore& core = *handle_.core;
  const SimCore::Call call = core.Begin(SimOp::kTruncate, "truncate", handle_.path);
  base::MutexLock lock(core.mutex);
  CAIRN_RETURN_IF_ERROR(core.Refusal(call, handle_.epoch));
  CAIRN_RETURN_IF_ERROR(CheckWritable(call));
  handle_.inode->data.Resize(size_bytes, core.tree().NextSequence());
  core.tree().Shrink(*handle_.inode, size_bytes);
  return absl::OkStatus();
}

absl::Status SimFile::Allocate(uint64_t size_bytes) {
  SimCore& core = *handle_.core;
  const SimCore::Call call = core.Begin(SimOp::kAllocate, "allocate", handle_.path);
  base::MutexLock lock(core.mutex);
  CAIRN_RETURN_IF_ERROR(core.Refusal(call, handle_.epoch));
  CAIRN_RETURN_IF_ERROR(CheckWritable(call));
  const uint64_t room = core.tree().Grow(*handle_.inode, size_bytes);
  const uint64_t reached = std::min(room, size_bytes);
  if (reached > handle_.inode->data.size()) {
    handle_.inode->data.Resize(reached, core.tree().NextSequence());
  }
  return room < size_bytes ? PosixError(ENOSPC, "allocate", handle_.path) : absl::OkStatus();
}

absl::StatusOr<uint64_t> SimFile::Size() const {
  const SimCore::Call call = handle_.core->Begin(SimOp::kSize, "stat", handle_.path);
  base::MutexLock lock(handle_.core->mutex);
  CAIRN_RETURN_IF_ERROR(handle_.core->Refusal(call, handle_.epoch));
  return handle_.inode->data.size();
}

absl::StatusOr<std::unique_ptr<Mapping>> SimFile::Map(uint64_t size_bytes) {
  SimCore& core = *handle_.core;
  const SimCore::Call call = core.Begin(SimOp::kMap, "map", handle_.path);
  base::MutexLock lock(core.mutex);
  CAIRN_RETURN_IF_ERROR(core.Refusal(call, handle_.epoch));
  if (!is_writable_) return PosixError(EACCES, "map", handle_.path);
  if (size_bytes == 0 || size_bytes > handle_.inode->data.size()) {
    return absl::InvalidArgumentError(base::StrCat("map ", handle_.path, ": ", size_bytes,
                                                   " bytes of a file of ",
                                                   handle_.inode->data.size()));
  }
  return std::make_unique<SimMapping>(handle_, size_bytes);
}

absl::Status SimFile::CheckWritable(const SimCore::Call& call) const {
  return is_writable_ ? absl::OkStatus() : PosixError(EBADF, call.operation, handle_.path);
}

SimFileLock::SimFileLock(std::shared_ptr<SimCore> core, SimInodePtr inode, std::string path)
    : handle_(std::move(core), std::move(inode), std::move(path)) {
  handle_.inode->locked = true;
}

SimFileLock::~SimFileLock() {
  base::MutexLock lock(handle_.core->mutex);
  handle_.inode->locked = false;
}

}  // namespace cairn::env
