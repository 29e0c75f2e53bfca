// Whether a stop has left an export behind, which waits for a collector that does not answer.
#pragma once

#include <atomic>

namespace cairn::otel {

// Of the process. Once it is set the process has to end by _exit: what exit would destroy (curl's
// and gRPC's globals among it) may be in use by the thread of that export.
inline std::atomic<bool> export_left_behind{false};

}  // namespace cairn::otel
