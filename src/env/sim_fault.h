// Calls of the simulated file system, and the ways in which they can fail.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace cairn::env {

enum class SimOp {
  kOpen,  // of a file that exists
  kCreate,
  kRead,
  kWrite,
  kSync,
  kTruncate,
  kAllocate,
  kSize,
  kMap,
  kMappingSync,
  kStat,
  kList,
  kCreateDir,
  kRemoveFile,
  kRemoveDir,
  kRename,
  kSyncDir,
  kLock,
  kFreeBytes,
};
inline constexpr size_t kSimOps = 19;

// Whether the call can change what a crash leaves behind.
constexpr bool IsMutation(SimOp op) {
  switch (op) {
    case SimOp::kOpen:
    case SimOp::kRead:
    case SimOp::kSize:
    case SimOp::kMap:
    case SimOp::kStat:
    case SimOp::kList:
    case SimOp::kFreeBytes:
      return false;
    default:
      return true;
  }
}

struct SimCall {
  SimOp op;
  std::string_view path;  // of a rename: the old name. Valid during the callback.
  uint64_t number;        // calls of this file system so far, this one included
};

enum class SimFault {
  kNone,
  kIoError,     // EIO. Of a Sync or SyncDir: what was not synced is then partly durable, partly
                // dropped
  kNoSpace,     // ENOSPC
  kShortWrite,  // of a write: some first part is written, then EIO; otherwise as kIoError
};

using SimFaultInjector = std::function<SimFault(const SimCall&)>;
using SimHook = std::function<void(const SimCall&)>;

}  // namespace cairn::env
