// What recovery and reading find wrong with a log, and what recovery did about it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/types.h"

namespace cairn::log {

// Records that were acknowledged and cannot be read. Nothing is cut or skipped on its account:
// reads of [first_offset, end_offset) fail with DATA_LOSS, the rest is served.
struct Damage {
  std::string file;
  uint64_t position = 0;  // of the first bad byte range in the file
  uint64_t end_position = 0;
  Offset first_offset;  // records in [first_offset, end_offset) are lost
  Offset end_offset;
  std::string what;  // with expected and found
  // The entries that are lost with them, as far as the file tells; both 0: it does not.
  Index first_index = {};
  Index end_index = {};
};

// "FILE at POSITION: WHAT; records [FIRST, END) cannot be read".
std::string Describe(const Damage& damage);

// DATA_LOSS with reason DAMAGED_LOG and the fields of `damage` as metadata.
absl::Status DamageError(const Damage& damage);

// UNAVAILABLE with reason DAMAGED_LOG: what a replica of several says that has nobody to ask.
absl::Status DamagedWithoutLeader(const Damage& damage);

struct RecoveryReport {
  std::vector<Damage> damages;
  std::vector<std::string>
      notes;  // in words: tails cut, indexes rebuilt, leftovers removed, foreign files
  uint64_t scanned_bytes = 0;  // of store files
  uint64_t torn_bytes = 0;     // cut from the tail: never acknowledged
};

}  // namespace cairn::log
