// The file log-start: accepted only if it is what WriteLogStart writes.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "env/sim_file_system.h"
#include "log/log_start.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  env::SimFileSystem fs(1);
  {
    auto file = fs.Open("/log-start", env::OpenMode::kCreate);
    const std::string_view buffers[] = {{reinterpret_cast<const char*>(data), size}};
    CAIRN_CHECK(file.ok() && (*file)->WriteAt(0, buffers).ok(), "the disk is whole");
  }
  const auto start = log::ReadLogStart(fs, "/");
  if (!start.ok()) return 0;
  CAIRN_CHECK(log::WriteLogStart(fs, "/", *start).ok(), "what was read can be written");
  const auto again = log::ReadLogStart(fs, "/");
  CAIRN_CHECK(again.ok() && *again == *start, "what was written is read");
  return 0;
}
