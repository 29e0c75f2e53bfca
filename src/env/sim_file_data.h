// The bytes of one simulated file, in three versions: as the process sees them, as they are certain
// to be on disk, and what was done between the two. Internal to the simulated file system.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "env/sim_crash.h"

namespace cairn::env {

// Thread-compatible: the file system's mutex guards it. Versions and their copies share their bytes
// until one of them writes, so that taking a crash image of an untouched file costs two pointers.
//
// A change survives a crash, or a part of it does, by the dice:
//   * each piece of a write, by itself;
//   * the new length, but for data beyond a lost length, which is lost with it; data that is lost
//   below a
//     surviving length reads as zeros, or as what was there before;
//   * each page stored to through a mapping, as old or new.
class SimFileData {
 public:
  static constexpr uint64_t kPageBytes = 4096;

  SimFileData();
  // All of `content` is on disk.
  explicit SimFileData(std::shared_ptr<std::string> content);

  // An independent copy in the same state, as if the process had been killed: mappings are gone,
  // what they wrote is not.
  SimFileData KilledCopy() const;

  uint64_t size() const { return current_->size(); }
  size_t Read(uint64_t position, std::span<char> into) const;
  void Write(uint64_t position, std::string data, uint64_t sequence);
  void Resize(uint64_t size_bytes, uint64_t sequence);

  // Everything done so far is on disk, stores through mappings as well (as fdatasync and msync do).
  void Sync();

  // What ext4 leaves behind a failed fsync: some of it reached the disk, all of it counts as clean
  // from now on and will not be written again, and the process sees either what it wrote or what
  // the disk has.
  void FailSync(CrashDice& dice, bool evict_cache);

  // The content after a power cut. Shared with this object when nothing was unsynced.
  std::shared_ptr<std::string> Survivors(CrashDice& dice) const;

  // The bytes for a mapping, at an address that stays valid. One Unmap for every Map.
  std::shared_ptr<std::string> Map();
  void Unmap() { --mappings_; }

  // Rot: flips a bit in every version. `bit` is within the file.
  void FlipBit(uint64_t bit);

 private:
  struct Change {
    enum class Kind { kWrite, kGrow, kShrink };
    uint64_t sequence;
    Kind kind;
    uint64_t position;                        // of a write; the new size otherwise
    std::shared_ptr<const std::string> data;  // of a write; shared by copies
  };

  // The string of `bytes`, made this object's own if others share it.
  std::string& Own(std::shared_ptr<std::string>& bytes);
  std::string& OwnCurrent();
  void ResizeCurrent(uint64_t size_bytes);

  // Calls `page(begin, end)` for every page that was stored to and is not on disk.
  template <typename PageFunction>
  void ForEachDirtyPage(PageFunction page) const;

  std::shared_ptr<std::string> current_;
  std::shared_ptr<std::string> durable_;
  std::vector<Change> pending_;  // between durable_ and current_, in their order
  // current_ as it would be without the stores through mappings that are not on disk; null when the
  // file has not been mapped since it was last clean.
  std::shared_ptr<std::string> clean_;
  int mappings_ = 0;
};

}  // namespace cairn::env
