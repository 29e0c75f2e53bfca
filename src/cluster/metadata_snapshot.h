// MetadataSnapshot: the metadata after a prefix of the log of group 0, on disk and on the wire. It
// is what lets the log be cut, and what a replica gets that lacks the beginning of the log.
//
//   cairn-metadata 1 applied <offset>    how far the log is in it
//   <metadata>                           Metadata::Encode
//
// The file is checksummed, and replaced whole.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "cluster/metadata.h"
#include "env/file_system.h"

namespace cairn::cluster {

struct MetadataSnapshot {
  Offset applied;  // commands below are in it
  Metadata metadata;

  static std::string Encode(Offset applied, const Metadata& metadata);
  // Errors: DATA_LOSS when it does not begin as one; of Metadata::Decode.
  static absl::StatusOr<MetadataSnapshot> Decode(const std::string& text);
};

// The file. Belongs to the place of the log's writer once the log is open.
class MetadataSnapshotFile {
 public:
  // `fs` outlives it.
  MetadataSnapshotFile(env::FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

  // Empty metadata when there is none. Errors: DATA_LOSS, UNIMPLEMENTED (Metadata::Decode).
  absl::StatusOr<MetadataSnapshot> Load();
  // Durable when it returns. A newer one that is there already stays: the log may begin behind what
  // is in this one.
  absl::Status Write(Offset applied, const std::string& encoded);

 private:
  env::FileSystem& fs_;
  const std::string path_;
  Offset applied_;  // of what is there
};

}  // namespace cairn::cluster
