// The numbers every layer speaks of. See the word list in docs/ and ARCHITECTURE.md.
#pragma once

#include <cstdint>

#include "base/strong_int.h"

namespace cairn {

// Position of a record in its partition: dense, from 0.
using Offset = base::StrongInt<struct OffsetTag, uint64_t>;
// Position of an entry in a partition's Raft log: dense, from 1; 0 means "none". Never shown to a
// client.
using Index = base::StrongInt<struct IndexTag, uint64_t>;
// Raft term, from 1; 0 means "none". Fits int32 on disk.
using Term = base::StrongInt<struct TermTag, int32_t>;
// A broker, 1 … 2^31-1, never reused; 0 means "none".
using NodeId = base::StrongInt<struct NodeIdTag, int32_t>;
// A partition of a topic, from 0.
using PartitionId = base::StrongInt<struct PartitionIdTag, int32_t>;
// A Raft group: 0 is the controller's.
using GroupId = base::StrongInt<struct GroupIdTag, uint64_t>;

}  // namespace cairn
