// The real machine behind the interfaces of env: kernel clocks, kernel randomness, POSIX files.
#pragma once

#include <memory>

#include "env/clock.h"
#include "env/file_system.h"
#include "env/random.h"

namespace cairn::env {

// Process-wide, stateless but for the file system's pool of sync threads. Thread-safe.
Clock& SystemClock();
Random& SystemRandom();

// POSIX files. Owns the threads that SyncAll spreads its fdatasyncs over; they start on demand and
// end with it.
std::unique_ptr<FileSystem> NewPosixFileSystem();

}  // namespace cairn::env
