#include "base/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "base/check_hook.h"

namespace cairn::base {
namespace {

std::atomic<void (*)()> check_failed_hook{nullptr};

}  // namespace

void SetCheckFailedHook(void (*hook)()) { check_failed_hook = hook; }

void CheckFailed(const char* file, int line, const char* condition, const char* why) {
  std::fprintf(stderr, "%s:%d: check failed: %s: %s\n", file, line, condition, why);
  std::fflush(stderr);
  // Once: a check may fail in it, too.
  if (auto* const hook = check_failed_hook.exchange(nullptr)) hook();
  std::abort();
}

}  // namespace cairn::base
