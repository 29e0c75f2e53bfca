// What a cairn process asks of its machine before it starts: memory that is not given back too
// eagerly, and as many descriptors as it may have.
#pragma once

namespace cairn::server {

// Makes malloc keep freed memory instead of returning it page by page: large gRPC messages were up
// to ten times slower with glibc's defaults. Also switches off abseil's search for lock cycles,
// which costs on every lock. Once per process, early. Idempotent.
void TuneProcess();

// Raises the soft limit of open files to the hard one, and returns it.
int RaiseDescriptorLimit();

// No core file of this process, however it ends, and no debugger of other users at it: its memory
// holds keys. Somebody with CAP_SYS_PTRACE may still look.
void DenyCoreDumps();

}  // namespace cairn::server
