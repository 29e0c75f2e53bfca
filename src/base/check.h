// CAIRN_CHECK: a condition that must hold for the data to be safe. It stays on in release builds
// and ends the process, because going on with a broken invariant can lose records that were
// acknowledged.
#pragma once

namespace cairn::base {

// Prints "file:line: check failed: condition: why" to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* why);

}  // namespace cairn::base

// `why` is a string literal: the sentence a reader of the core dump needs.
#define CAIRN_CHECK(condition, why)                                    \
  do {                                                                 \
    if (!(condition)) [[unlikely]]                                     \
      ::cairn::base::CheckFailed(__FILE__, __LINE__, #condition, why); \
  } while (false)
