#include "server/process_tuning.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <limits>

#include "absl/synchronization/mutex.h"
#include "base/malloc_tuning.h"

namespace cairn::server {
void TuneProcess() {
  base::TuneMalloc();
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

void DenyCoreDumps() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  // Both work on the process itself and cannot fail.
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace cairn::server
