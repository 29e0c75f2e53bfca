// DataDirectory: the root of what a node stores: its lock, its identity, its producer ids.
//
//   DIR/LOCK           held while a process uses the directory
//   DIR/cairn.json     format version and node id; what makes the directory cairn's
//   DIR/producer-ids   first producer id that was not given out
//   DIR/topics/…       topic_store.h
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/uuid.h"
#include "env/file_system.h"
#include "env/random.h"

namespace cairn::broker {

inline constexpr int kDataFormatVersion = 1;

class DataDirectory {
 public:
  // Creates the directory when it is absent or empty. Blocking.
  // Errors: FAILED_PRECONDITION when another process holds the lock, or the directory holds files
  // but is not a data directory (naming one of them); UNIMPLEMENTED for a format version this
  // program does not know; DATA_LOSS when cairn.json is damaged; those of the file system.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(env::FileSystem& fs,
                                                             env::Random& random,
                                                             const std::string& path);

  const std::string& path() const { return path_; }
  const base::Uuid& node_uuid() const { return node_uuid_; }
  std::string topics_path() const;

  // An id that was never given out before. Durable on return. Blocking. Thread-safe.
  absl::StatusOr<int64_t> AllocateProducerId();

 private:
  DataDirectory(env::FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  absl::Status LoadIdentity(env::Random& random);

  env::FileSystem& fs_;
  const std::string path_;
  std::unique_ptr<env::FileLock> lock_;
  base::Uuid node_uuid_;

  base::Mutex mutex_;
  int64_t next_producer_id_ CAIRN_GUARDED_BY(mutex_) = 0;
  int64_t reserved_producer_id_ CAIRN_GUARDED_BY(mutex_) =
      0;  // durable: ids below may be given out
};

}  // namespace cairn::broker
