// A store file as a damaged disk might return it: the log opens or says why not, and reading what
// it then claims to hold ends, without a crash.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "env/files.h"
#include "env/sim_clock.h"
#include "env/sim_file_system.h"
#include "log/log.h"
#include "log/records.h"

namespace cairn::log {
namespace {

constexpr size_t kMaxInput = 8 << 10;

void Run(std::string_view input) {
  env::SimFileSystem fs(1);
  env::SimClock clock;
  LogOptions options;
  options.directory = "/log";
  options.topic_id = base::Uuid::FromRandom(1, 2);
  CAIRN_CHECK(fs.CreateDir("/log").ok() && Log::Create(fs, clock, options).ok(),
              "the disk is whole");
  RecoveryReport report;
  {
    auto log = Log::Open(fs, clock, options, report);
    CAIRN_CHECK(log.ok(), "a new log opens");
    // Three real entries, so that the fuzzer starts among headers whose checksums hold.
    for (int i = 0; i < 3; ++i) {
      BatchBuilder builder;
      builder.Add("key", "value", 1);
      const Entry entry =
          MakeBatchEntry(builder.Take(), (*log)->end_index(), Term(1), (*log)->end_offset());
      CAIRN_CHECK((*log)->Write({&entry, 1}).ok() && (*log)->Sync().ok(), "the disk is whole");
    }
  }
  // The first two bytes say where the rest overwrites the file.
  const size_t position = static_cast<uint8_t>(input[0]) * 8u + static_cast<uint8_t>(input[1]);
  {
    auto file = fs.Open("/log/" + StoreFileName(Offset(0)), env::OpenMode::kReadWrite);
    const std::string_view buffers[] = {input.substr(2)};
    CAIRN_CHECK(file.ok() && (*file)->WriteAt(position, buffers).ok(), "the disk is whole");
  }
  report = {};
  const auto log = Log::Open(fs, clock, options, report);
  if (!log.ok()) return;
  for (Offset at = (*log)->start_offset(); at < (*log)->end_offset();) {
    const auto entries = (*log)->Read(at, (*log)->end_offset(), 4096);
    if (!entries.ok() || entries->empty()) {
      ++at;
      if (at - Offset(0) > 1000) break;
      continue;
    }
    CAIRN_CHECK(entries->front().header.end_offset() > at, "a read goes forward");
    at = entries->back().header.end_offset();
  }
}

}  // namespace
}  // namespace cairn::log

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > cairn::log::kMaxInput) return 0;
  cairn::log::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
