// SIGINT and SIGTERM for commands that run long: noticed, not fatal.
#pragma once

#include <cstdint>

namespace cairn::apps {

// From the first call on, SIGINT and SIGTERM are only remembered. Call before threads are started.
void CatchInterrupts();

// Whether one came. Any thread.
bool Interrupted();

// Can be read from then on; for poll alone. After CatchInterrupts.
int InterruptDescriptor();

// Waits until `fd` is readable (or at its end) or an interrupt came; false for the interrupt.
bool WaitReadable(int fd);

// Waits up to timeout_ms (-1: without end) for an interrupt; whether one came.
bool WaitInterrupted(int64_t timeout_ms);

}  // namespace cairn::apps
