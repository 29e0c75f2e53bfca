// LineSink: where a LineLog writes its lines.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "env/file_system.h"

namespace cairn::env {

// Used by one thread at a time, which it may block.
class LineSink {
 public:
  virtual ~LineSink() = default;

  // Opens it, also when it is open: what has its name by now.
  virtual absl::Status Open() = 0;
  // Writes whole lines, and opens it before when it is closed. After an error what it has left of
  // `lines` is to be written again.
  virtual absl::Status Write(std::string& lines) = 0;
  // Makes durable what was written.
  virtual absl::Status Sync() = 0;
  // After a failure, or for good.
  virtual void Close() = 0;
};

// Appends to a file, which is made (mode 0600) when it is not there. A write that failed is made
// again whole and on a line of its own: after a failure a line may be there twice, and a line
// before may be torn; none is joined to another. `fs` outlives it.
std::unique_ptr<LineSink> NewFileSink(FileSystem& fs, std::string path);

// Writes to a descriptor that somebody else opened and closes, as stderr: nothing is made durable.
// Waits kDescriptorPatienceMs at most until a reader has made room. Errors: UNAVAILABLE when it has
// not; of write(2).
std::unique_ptr<LineSink> NewDescriptorSink(int descriptor);
inline constexpr int kDescriptorPatienceMs = 500;

}  // namespace cairn::env
