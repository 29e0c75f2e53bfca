// Settings of glibc's malloc for programs that move large buffers.
#pragma once

namespace cairn::base {

// Keeps freed memory instead of returning it with every large buffer: with the defaults, messages
// of 100 KiB and more cost up to ten times as much (each one maps, faults in and unmaps its pages).
// Call once, first thing in main. Does nothing where the C library is not glibc.
void TuneMalloc();

}  // namespace cairn::base
