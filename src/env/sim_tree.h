// The files and directories of one simulated disk. Internal to the simulated file system.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "env/sim_crash.h"
#include "env/sim_file_data.h"

namespace cairn::env {

struct SimInode;
using SimInodePtr = std::shared_ptr<SimInode>;  // shared by names, histories and open files
using SimEntries = std::map<std::string, SimInodePtr, std::less<>>;

struct SimInode {
  bool is_directory = false;
  // Of a directory.
  SimEntries entries;          // as the process sees them
  SimEntries durable_entries;  // as they are certain to be on disk
  // Of a file.
  SimFileData data;
  uint64_t allocated_bytes = 0;
  int links = 0;  // names among `entries`
  int opens = 0;
  bool locked = false;
};

// Thread-compatible. Errors are errno values, 0 for success.
class SimTree {
 public:
  // Where a path leads. For the root, `directory` is null.
  struct Place {
    SimInodePtr directory;
    std::string name;
    SimInodePtr inode;  // null when there is nothing of this name
  };

  SimTree();

  // ENOENT or ENOTDIR when a directory on the way is missing; an absent last name is no error.
  int Find(std::string_view path, Place& place) const;

  // The number of the next change, for SimFileData and for the order of directory changes.
  uint64_t NextSequence() { return next_sequence_++; }
  uint64_t next_sequence() const { return next_sequence_; }

  SimInodePtr Create(const Place& place, bool is_directory);
  void Remove(const Place& place);
  // The kinds fit: the caller has checked what rename(2) checks.
  void Rename(const Place& from, const Place& to);

  // Makes the changes of `directory` durable; with dice, the failed kind: each change is made
  // durable or forgotten for good, whatever is synced later.
  void SyncDirectory(const SimInodePtr& directory, CrashDice* failing);

  // Takes space for the file to reach `end`; returns how far it got, at least what it had.
  uint64_t Grow(SimInode& file, uint64_t end);
  // Gives back the space behind `end`.
  void Shrink(SimInode& file, uint64_t end);
  // Gives the space of a file back that has neither a name nor an open File any more.
  void ReleaseIfUnused(SimInode& file);
  uint64_t free_bytes() const;
  void set_free_bytes(uint64_t bytes) { capacity_bytes_ = used_bytes_ + bytes; }

  // The state after a power cut. Everything in it is durable.
  SimTree AfterCrash(const CrashChoice& choice) const;

  // The same state without the process.
  SimTree AfterKill() const;

 private:
  // One change of one name.
  struct NameChange {
    SimInodePtr directory;
    std::string name;
    SimInodePtr inode;  // null: the name is gone
  };
  // Creation, removal or rename. Survives a crash as a whole: file systems that keep a journal
  // rename in one transaction. Syncing one of two directories makes its part durable and leaves the
  // other pending, but not for a directory that moved: it must not be in two places.
  struct Operation {
    uint64_t sequence;
    bool moves_directory;
    std::vector<NameChange> changes;
  };

  static void SetName(SimEntries& entries, const std::string& name, const SimInodePtr& inode);
  void Do(Operation operation);
  // Drops what earlier operations did to a name that has been made durable.
  void ForgetBefore(size_t operation, const NameChange& change);

  SimInodePtr root_;
  std::vector<Operation> pending_;
  uint64_t next_sequence_ = 1;
  uint64_t capacity_bytes_;
  uint64_t used_bytes_ = 0;
};

}  // namespace cairn::env
