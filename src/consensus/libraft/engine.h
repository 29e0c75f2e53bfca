// The one place that includes libraft's header, and what we rely on in it.
//
// Only the files of this folder see it. The adapter writes public fields of `struct raft` (guards
// B4, G9, G14 and the start without entries), which upstream does not promise to keep: hence the
// exact version, here and in CMake.
#pragma once

#include <cstdbool>
#include <cstddef>
#include <cstdint>
#include <cstdio>

// 0.22.1's own assertions define types within sizeof, which C++ forbids (fixed upstream in #186).
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wkeyword-macro"
#endif
#pragma push_macro("static_assert")
#define static_assert(...) static_assert(true, "")
extern "C" {
#include <raft.h>
}
#pragma pop_macro("static_assert")
#if defined(__clang__)
#pragma clang diagnostic pop
#endif

#include "base/types.h"

namespace cairn::consensus {

static_assert(RAFT_VERSION_NUMBER == 2201,
              "the guards were proven against libraft 0.22.1; run core_sim before changing this");
// What the C compiler makes of them; the assertions above that C++ cannot read would have told.
static_assert(sizeof(raft) == 992, "struct raft is not laid out as in 0.22.1");
static_assert(sizeof(raft_trail) == 48, "struct raft_trail is not laid out as in 0.22.1");
static_assert(sizeof(raft_entry) == 40, "struct raft_entry is not laid out as in 0.22.1");
static_assert(sizeof(raft_message) == 96, "struct raft_message is not laid out as in 0.22.1");

inline NodeId FromEngineId(raft_id id) { return NodeId(static_cast<int32_t>(id)); }
inline raft_id ToEngineId(NodeId node) { return static_cast<raft_id>(node.value()); }
inline Term FromEngineTerm(raft_term term) { return Term(static_cast<int32_t>(term)); }
inline raft_term ToEngineTerm(Term term) { return static_cast<raft_term>(term.value()); }

}  // namespace cairn::consensus
