#include "cluster/metadata_snapshot.h"

#include <cstdio>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"

namespace cairn::cluster {
namespace {

// kMaxPartitionsPerCluster at some 300 bytes each, with room.
constexpr uint64_t kMaxSnapshotBytes = 64 << 20;

}  // namespace

std::string MetadataSnapshot::Encode(Offset applied, const Metadata& metadata) {
  return base::StrCat("cairn-metadata 1 applied ", applied.value(), "\n", metadata.Encode(), "\n");
}

absl::StatusOr<MetadataSnapshot> MetadataSnapshot::Decode(const std::string& text) {
  const size_t line_end = text.find('\n');
  unsigned long long applied = 0;
  if (line_end == std::string::npos ||
      std::sscanf(text.c_str(), "cairn-metadata 1 applied %llu\n", &applied) != 1) {
    return absl::DataLossError("a snapshot of the metadata does not begin as one");
  }
  MetadataSnapshot snapshot;
  CAIRN_ASSIGN_OR_RETURN(snapshot.metadata, Metadata::Decode(text.substr(line_end + 1)));
  snapshot.applied = Offset(applied);
  return snapshot;
}

absl::StatusOr<MetadataSnapshot> MetadataSnapshotFile::Load() {
  const auto text = env::ReadChecksummedFile(fs_, path_, kMaxSnapshotBytes);
  if (absl::IsNotFound(text.status())) return MetadataSnapshot();
  if (!text.ok()) return text.status();
  CAIRN_ASSIGN_OR_RETURN(MetadataSnapshot snapshot, MetadataSnapshot::Decode(*text));
  applied_ = snapshot.applied;
  return snapshot;
}

absl::Status MetadataSnapshotFile::Write(Offset applied, const std::string& encoded) {
  if (applied < applied_) return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(env::ReplaceChecksummedFile(fs_, path_, encoded));
  applied_ = applied;
  return absl::OkStatus();
}

}  // namespace cairn::cluster
