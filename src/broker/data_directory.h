// DataDirectory: the root of what a node stores: its lock and its identity.
//
//   DIR/LOCK         held while a process uses the directory
//   DIR/cairn.json   format version, node UUID and, once it has joined, cluster id and node id;
//   what
//                    makes the directory cairn's
//   DIR/raft         the stable store of the Raft groups (LMDB)
//   DIR/controller   the log of group 0 (cluster/controller.h)
//   DIR/topics/…     partition replicas (replica_store.h)
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "base/uuid.h"
#include "env/file_system.h"
#include "env/random.h"

namespace cairn::broker {

inline constexpr int kDataFormatVersion = 2;

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
  std::string stable_path() const;

  // Who this node is. Its UUID is drawn when the directory is made and never changes: an empty disk
  // is a new node.
  struct Identity {
    base::Uuid node_uuid;
    base::Uuid cluster_id;  // nil until the node belongs to a cluster
    NodeId node;            // 0 until then

    bool has_joined() const { return node.value() != 0; }
  };
  const Identity& identity() const { return identity_; }

  // The node belongs to this cluster from now on, under this number. Durable on return. Blocking.
  // Errors: FAILED_PRECONDITION when it belongs to another, naming both.
  absl::Status Join(const base::Uuid& cluster_id, NodeId node);

 private:
  DataDirectory(env::FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  absl::Status LoadIdentity(env::Random& random);
  absl::Status SaveIdentity() const;

  env::FileSystem& fs_;
  const std::string path_;
  std::unique_ptr<env::FileLock> lock_;
  Identity identity_;
};

}  // namespace cairn::broker
