// Which of the changes that were not synced survive a power cut.
#pragma once

#include <cstdint>

#include "env/sim_random.h"

namespace cairn::env {

// A way to choose. The three simple ones are exhaustive in themselves; a random one is determined
// by its seed: the same file system and the same seed give the same state.
struct CrashChoice {
  enum class Kind {
    kDropAll,   // nothing that was not synced survives: the slowest disk
    kKeepAll,   // everything does: the fastest
    kKeepLast,  // of each file and of the directories only the last change: the most reordered
    kRandom,    // see CrashDice
  };
  Kind kind = Kind::kRandom;
  uint64_t seed = 0;

  static CrashChoice DropAll() { return {Kind::kDropAll, 0}; }
  static CrashChoice KeepAll() { return {Kind::kKeepAll, 0}; }
  static CrashChoice KeepLast() { return {Kind::kKeepLast, 0}; }
  static CrashChoice Random(uint64_t seed) { return {Kind::kRandom, seed}; }
};

// The decisions of one crash, change by change. Internal to the simulated file system.
//
// A random crash has one of several characters, because independent coins alone would almost never
// give the states that real disks mostly give: either everything up to some moment survived and the
// rest did not, or each change survives with a chance of 1/8, 1/2 or 7/8. Changes tear at sectors
// of 512 bytes, at pages of 4 KiB, or not at all.
class CrashDice {
 public:
  // `end` is the sequence number that the next change would get.
  CrashDice(const CrashChoice& choice, uint64_t end);

  // Whether the change (or the piece of a change) with number `sequence` survives. `is_last`: no
  // later change was made to the same file, or to any directory.
  bool Keep(uint64_t sequence, bool is_last);

  // Whether a page that was stored to through a mapping has reached the disk.
  bool KeepPage();

  // The surviving length of a file that a change took from `from` to `to` bytes (from < to).
  uint64_t Extend(uint64_t from, uint64_t to, uint64_t sequence, bool is_last);

  // The size of the pieces that survive or not as a whole; a power of two.
  uint64_t piece_bytes() const { return piece_bytes_; }

 private:
  bool Coin(uint64_t eighths) { return (random_.Next() & 7) < eighths; }

  const CrashChoice::Kind kind_;
  SimRandom random_;
  uint64_t piece_bytes_ = uint64_t{1} << 63;
  bool is_prefix_ = false;
  uint64_t cut_ = 0;      // of a prefix: the change that is torn; all before it survive
  uint64_t eighths_ = 4;  // otherwise: the chance of each change
};

}  // namespace cairn::env
