// An open file of the kernel. Internal to env: everybody else holds an env::File.
#pragma once

#include <memory>
#include <string>

#include "env/file_system.h"

namespace cairn::env {

class PosixFile final : public File {
 public:
  // Takes over `descriptor`. `path` is for messages.
  PosixFile(int descriptor, std::string path);
  ~PosixFile() override;
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  absl::StatusOr<size_t> ReadAt(uint64_t position, std::span<char> into) const override;
  absl::Status WriteAt(uint64_t position, std::span<const std::string_view> buffers) override;
  absl::Status Sync() override;
  absl::Status Truncate(uint64_t size_bytes) override;
  absl::Status Allocate(uint64_t size_bytes) override;
  absl::StatusOr<uint64_t> Size() const override;
  absl::StatusOr<std::unique_ptr<Mapping>> Map(uint64_t size_bytes) override;

 private:
  const int descriptor_;
  const std::string path_;
};

}  // namespace cairn::env
