#include "server/process_tuning.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <limits>

#include "absl/synchronization/mutex.h"

namespace cairn::server {
namespace {

// Blocks up to this come from the heap and stay there when freed; larger than any message.
constexpr int kMmapThresholdBytes = 1 << 30;
// The heap shrinks only when this much lies unused at its top...
constexpr int kTrimThresholdBytes = 512 << 20;
// ...and grows by this much at a time, which saves page-table work.
constexpr int kTopPadBytes = 16 << 20;

}  // namespace

void TuneProcess() {
  mallopt(M_MMAP_THRESHOLD, kMmapThresholdBytes);
  mallopt(M_TRIM_THRESHOLD, kTrimThresholdBytes);
  mallopt(M_TOP_PAD, kTopPadBytes);
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

int RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;  // what every Unix gives
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
}

}  // namespace cairn::server
