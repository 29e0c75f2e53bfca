// SimFileSystem: a file system in memory that keeps only what file_system.h promises.
//
// It forgets, tears and reorders whatever was not synced, fails calls on demand, and gives copies
// of itself as they would be after a power cut, cheaply enough for a test to look at every one:
//
//   SimFileSystem fs(seed);
//   fs.SetMutationHook([&](const SimCall&) {         // before every call that changes something
//     for (uint64_t i = 0; i < 100; ++i) CheckRecovery(*fs.CrashImage(CrashChoice::Random(i)));
//   });
//   RunScript(fs);
//
// What it models is written down in README.md of this folder, at "The simulated disk".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "env/file_system.h"
#include "env/sim_crash.h"
#include "env/sim_fault.h"

namespace cairn::env {

class SimTree;

// Thread-safe, except that a Sync reads the bytes of the file's mappings: no other thread may store
// to them at that time. Paths are taken from the root, with or without a leading '/'; ".." is not
// understood.
class SimFileSystem final : public FileSystem {
 public:
  // `seed` determines what faults leave behind; crashes have seeds of their own.
  explicit SimFileSystem(uint64_t seed);
  ~SimFileSystem() override;
  SimFileSystem(const SimFileSystem&) = delete;
  SimFileSystem& operator=(const SimFileSystem&) = delete;

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  void SyncAll(std::span<File* const> files, std::span<absl::Status> results) override;
  absl::StatusOr<FileInfo> Stat(const std::string& path) override;
  absl::StatusOr<std::vector<DirectoryEntry>> List(const std::string& directory) override;
  absl::Status CreateDir(const std::string& path) override;
  absl::Status RemoveFile(const std::string& path) override;
  absl::Status RemoveDir(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status SyncDir(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override;

  // The power fails and comes back. Every File, Mapping and FileLock given out is dead: calls
  // return INTERNAL, locks are free, the bytes of a mapping are memory that nobody reads. They must
  // still be destroyed. Called from the mutation hook, it also fails the call that was about to
  // change something.
  void Crash(const CrashChoice& choice);

  // The process dies: as Crash, but nothing is lost. What was not synced still is not, and a later
  // Crash may take it.
  void Kill();

  // A new, independent file system as Crash or Kill would leave this one. It has no faults, no
  // hook, and its own count of calls.
  std::unique_ptr<SimFileSystem> CrashImage(const CrashChoice& choice) const;
  std::unique_ptr<SimFileSystem> KillImage() const;

  // Called before every call that IsMutation, without locks held; may take images. Null for none.
  void SetMutationHook(SimHook hook);

  // Decides about every call, after the hook and unless a planned fault applies. Null for none.
  void SetFaultInjector(SimFaultInjector injector);

  // Plans a fault: for the call with this number (see call_count), or for the next `times` calls of
  // `op` whose path contains `path_part`. Plans add up until ClearFaults, which also removes the
  // injector.
  void FailCall(uint64_t number, SimFault fault);
  void FailNext(SimOp op, std::string path_part, SimFault fault, int times = 1);
  void ClearFaults();

  // The disk has this much room from now on. Writes that need more write what fits and then fail
  // with RESOURCE_EXHAUSTED; what is removed or cut off gives its room back.
  void SetFreeBytes(uint64_t bytes);

  // Calls so far, in all or of one kind.
  uint64_t call_count() const;
  uint64_t call_count(SimOp op) const;

  // Rot: flips bit `bit` (of byte bit / 8) of a file on the disk and in the cache. Errors:
  // NOT_FOUND; OUT_OF_RANGE behind the end.
  absl::Status FlipBit(const std::string& path, uint64_t bit);

 private:
  friend class SimCore;
  SimFileSystem(uint64_t seed, SimTree tree);

  const std::shared_ptr<class SimCore>
      core_;  // shared with open files, which may outlive this object
};

}  // namespace cairn::env
