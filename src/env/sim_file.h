// Open files and locks of the simulated file system. Internal to it.
#pragma once

#include <memory>
#include <string>

#include "env/file_system.h"
#include "env/sim_core.h"

namespace cairn::env {

// Common to everything that keeps an inode in use: counts itself among the inode's opens.
class SimHandle {
 public:
  // With the core's mutex held.
  SimHandle(std::shared_ptr<SimCore> core, SimInodePtr inode, std::string path);
  ~SimHandle();
  SimHandle(const SimHandle&) = delete;
  SimHandle& operator=(const SimHandle&) = delete;

  const std::shared_ptr<SimCore> core;
  const SimInodePtr inode;
  const std::string path;
  const uint64_t epoch;
};

class SimFile final : public File {
 public:
  // With the core's mutex held.
  SimFile(std::shared_ptr<SimCore> core, SimInodePtr inode, std::string path, bool is_writable)
      : handle_(std::move(core), std::move(inode), std::move(path)), is_writable_(is_writable) {}

  absl::StatusOr<size_t> ReadAt(uint64_t position, std::span<char> into) const override;
  absl::Status WriteAt(uint64_t position, std::span<const std::string_view> buffers) override;
  absl::Status Sync() override;
  absl::Status Truncate(uint64_t size_bytes) override;
  absl::Status Allocate(uint64_t size_bytes) override;
  absl::StatusOr<uint64_t> Size() const override;
  absl::StatusOr<std::unique_ptr<Mapping>> Map(uint64_t size_bytes) override;

 private:
  const SimHandle handle_;
  const bool is_writable_;

  absl::Status CheckWritable(const SimCore::Call& call) const;
};

class SimFileLock final : public FileLock {
 public:
  // With the core's mutex held; the inode is not locked yet.
  SimFileLock(std::shared_ptr<SimCore> core, SimInodePtr inode, std::string path);
  ~SimFileLock() override;

 private:
  const SimHandle handle_;
};

}  // namespace cairn::env
