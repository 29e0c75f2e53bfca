// The file system as cairn needs it: positional files, mappings, directories, and what makes each
// durable.
//
// Two implementations: PosixFileSystem (posix_file_system.h) and SimFileSystem (sim_file_system.h),
// which forgets, tears and reorders whatever was not synced.
//
// Durability contract, the weakest of what ext4, XFS and POSIX allow:
//   * bytes written are durable once File::Sync has returned OK after the write;
//   * a file created, renamed or removed stays so once FileSystem::SyncDir of its directory
//     has returned OK;
//   * what was not synced may survive a crash wholly, partly, in any order, or not at all.
// After a failed Sync nothing is known about the file: do not retry, do not trust its cached pages.
//
// Errors, by status code: NOT_FOUND (ENOENT), ALREADY_EXISTS (EEXIST), PERMISSION_DENIED (EACCES,
// EPERM), RESOURCE_EXHAUSTED (ENOSPC, EDQUOT, EMFILE, ENFILE), FAILED_PRECONDITION (EROFS, ENOTDIR,
// EISDIR, ENOTEMPTY), INTERNAL (EIO and the rest). Messages name the path and the operation.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn::env {

// Bytes of a file in memory, shared with the file system (MAP_SHARED). Stores reach the disk at any
// time and in any order, page by page. The caller serialises access to each byte.
class Mapping {
 public:
  virtual ~Mapping() = default;

  // Valid until the Mapping is destroyed; also after its File is closed.
  virtual std::span<char> bytes() = 0;

  // Makes the stores so far durable (msync). Blocking.
  virtual absl::Status Sync() = 0;
};

// An open file. ReadAt may be called by any thread beside anything else; the other calls by one
// thread at a time. Closed by the destructor, which makes nothing durable.
class File {
 public:
  virtual ~File() = default;

  // Fills `into` from `position`; returns the bytes read, fewer than asked only at the end of the
  // file.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t position, std::span<char> into) const = 0;

  // Writes the buffers one behind the other at `position`, growing the file as needed. On an error
  // an unknown part was written.
  virtual absl::Status WriteAt(uint64_t position, std::span<const std::string_view> buffers) = 0;

  // fdatasync: the file's bytes and its length. Blocking. See the contract above for a failure.
  virtual absl::Status Sync() = 0;

  // Cuts or extends (with zeros, without space) to `size_bytes`.
  virtual absl::Status Truncate(uint64_t size_bytes) = 0;

  // Extends to at least `size_bytes` with zeros and reserves the space, so that a store through a
  // mapping cannot meet a full disk (which would end the process with SIGBUS).
  virtual absl::Status Allocate(uint64_t size_bytes) = 0;

  virtual absl::StatusOr<uint64_t> Size() const = 0;

  // Maps [0, size_bytes) for reading and writing. Errors: INVALID_ARGUMENT for 0 bytes or more than
  // the file has; PERMISSION_DENIED when it was opened read-only.
  virtual absl::StatusOr<std::unique_ptr<Mapping>> Map(uint64_t size_bytes) = 0;
};

// Held while it lives; released by the destructor and by the end of the process, however it ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode {
  kReadOnly,       // NOT_FOUND when absent
  kReadWrite,      // NOT_FOUND when absent
  kCreate,         // read-write; ALREADY_EXISTS when present
  kCreatePrivate,  // the same, and nobody but the owner may read it (mode 0600)
};

struct FileInfo {
  bool is_directory = false;
  uint64_t size_bytes = 0;  // 0 for a directory
};

struct DirectoryEntry {
  std::string name;  // without the directory
  bool is_directory = false;
};

// Thread-safe. Paths are separated by '/'.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;

  // Syncs every file, all at once where the platform can (one after the other, 64 files cost 40
  // times as much on ext4). results[i] is the outcome of files[i]. Blocking. The spans have the
  // same length.
  virtual void SyncAll(std::span<File* const> files, std::span<absl::Status> results) = 0;

  virtual absl::StatusOr<FileInfo> Stat(const std::string& path) = 0;
  // Sorted by name, without "." and "..". A symbolic link is an entry that is no directory.
  virtual absl::StatusOr<std::vector<DirectoryEntry>> List(const std::string& directory) = 0;
  virtual absl::Status CreateDir(const std::string& path) = 0;
  virtual absl::Status RemoveFile(const std::string& path) = 0;
  // The directory must be empty.
  virtual absl::Status RemoveDir(const std::string& path) = 0;
  // Replaces `to` when it is a file. Atomic: after a crash `to` is the old or the new one.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // Makes creations, renames and removals in `directory` durable. Blocking.
  virtual absl::Status SyncDir(const std::string& directory) = 0;

  // Takes an exclusive lock on `path`, creating the file. Errors: FAILED_PRECONDITION when another
  // open FileLock, of this process or another, holds it (with the holder's process id when it is
  // known).
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;

  // Bytes an unprivileged process may still write to the file system that holds `path`.
  virtual absl::StatusOr<uint64_t> FreeBytes(const std::string& path) = 0;
};

}  // namespace cairn::env
