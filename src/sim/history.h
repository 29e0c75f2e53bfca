// History: what clients were told and what replicas show, and whether the two agree.
//
// One committed log per group: the first replica that shows an entry as committed sets it, every
// other one, and the same one later, must show the same: kind, term, index, offsets, body. So one
// check covers log matching, lost and changed entries, dense offsets and doubled batches. Groups
// are never reused, so nothing here is ever forgotten.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/types.h"
#include "broker/partition.h"
#include "broker/replica_host.h"
#include "log/batch.h"
#include "sim/machine.h"
#include "sim/world.h"

namespace cairn::sim {

// The key of a batch's first record tells it from all others.
std::string KeyOf(std::string_view records);

class History {
 public:
  explicit History(World& world) : world_(world) {}

  // ---- what clients were told ----

  // `batch` was acknowledged at `base`. `floor`: Floor() when it was first sent.
  void Acknowledged(GroupId group, const log::Batch& batch, Offset base, bool duplicate,
                    Offset floor);
  // `batch` was refused for good: it is nowhere.
  void Refused(GroupId group, const log::Batch& batch, const absl::Status& why);
  // Everything below was acknowledged to somebody, or read behind a barrier, by now.
  Offset Floor(GroupId group) const;
  // A barrier that began when Floor() was `floor` has proven `high_watermark`.
  void Proven(GroupId group, Offset floor, Offset high_watermark);
  // What a client has read, from anywhere.
  void Read(GroupId group, const broker::FetchResult& result);
  // The topic is being deleted: nothing is owed any more.
  void Deleted(GroupId group);

  // ---- what replicas show ----

  // Reads what `machine` shows as committed and was not looked at since it booted.
  void Look(Machine& machine, size_t number);

  // What all replicas show is read again from the beginning.
  void LookAgain() { views_.clear(); }

  // What was acknowledged and no replica has shown; empty when there is nothing.
  std::string Missing() const;
  // Whether the replica shows everything that any replica has shown.
  bool IsComplete(GroupId group, Offset high_watermark) const;

  uint64_t entries() const { return entries_; }
  uint64_t acknowledged() const { return acknowledged_; }

 private:
  struct Fact {
    uint64_t hash;  // of the header but for durable_bytes, and of the body
    Term term;
    Offset base;
    Offset end;
    std::string key;
  };
  struct Ack {
    Offset base;
    Offset end;
    std::string key;
  };
  struct Group {
    absl::flat_hash_map<uint64_t, Fact> by_index;
    std::map<uint64_t, uint64_t> index_by_offset;  // of batches: base offset to index
    std::map<std::string, Offset> keys;
    std::set<std::string> refused;
    std::vector<Ack> acks;  // not verified yet
    Offset shown_end;       // of what replicas have shown
    Offset floor;
    std::map<Term, size_t> leaders;
    Offset start;  // the furthest start of any replica's log
    bool deleted = false;
  };
  // How far a replica was looked at, in one life of it.
  struct View {
    uint64_t boot = 0;
    std::weak_ptr<consensus::RaftReplica> replica;
    Index next{1};
    Offset high_watermark;
    bool damaged = false;
  };

  // Metadata of two nodes that are of the same point of the log are the same.
  void LookAtMetadata(Machine& machine, size_t number);
  void LookAt(Machine& machine, size_t number,
              const std::shared_ptr<consensus::RaftReplica>& replica, Offset high_watermark);
  bool Take(GroupId id, Group& group, const log::Entry& entry, const std::string& who);
  void VerifyAcks(GroupId id, Group& group);

  World& world_;
  std::map<GroupId, Group> groups_;
  std::map<std::pair<size_t, GroupId>, View> views_;
  std::map<size_t, std::shared_ptr<const cluster::MetadataView>> metadata_;  // looked at last
  absl::flat_hash_map<uint64_t, uint64_t> metadata_hashes_;                  // by what is applied
  uint64_t entries_ = 0;
  uint64_t acknowledged_ = 0;
};

}  // namespace cairn::sim
