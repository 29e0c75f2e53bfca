#include "log/log_start.h"

#include <cinttypes>
#include <cstdio>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/crc32c.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"

namespace cairn::log {
namespace {

constexpr std::string_view kFileName = "log-start";
constexpr uint64_t kMaxFileBytes = 4096;

std::string LineWithoutCrc(const LogStart& start) {
  return absl::StrFormat(
      "cairn-log-start 1 offset %d index %d term %d generation %d pending %d crc32c ",
      start.offset.value(), start.index.value(), start.term.value(), start.generation,
      start.pending ? 1 : 0);
}

std::string Line(const LogStart& start) {
  const std::string text = LineWithoutCrc(start);
  return absl::StrFormat("%s%08x\n", text, base::Crc32c(text));
}

// The line is accepted only if writing what it says gives the same bytes, so no flipped bit can
// hide in it.
bool ParseLine(const std::string& line, LogStart& start) {
  uint64_t offset = 0;
  uint64_t index = 0;
  int32_t term = 0;
  uint32_t generation = 0;
  int pending = 0;
  uint32_t crc = 0;
  const int fields =
      std::sscanf(line.c_str(),
                  "cairn-log-start 1 offset %" SCNu64 " index %" SCNu64 " term %" SCNd32
                  " generation %" SCNu32 " pending %d crc32c %" SCNx32,
                  &offset, &index, &term, &generation, &pending, &crc);
  if (fields != 6) return false;
  start = {Offset(offset), Index(index), Term(term), generation, pending != 0};
  return base::StrCat(line, "\n") == Line(start);
}

}  // namespace

absl::Status WriteLogStart(env::FileSystem& fs, const std::string& directory,
                           const LogStart& start) {
  // Two copies of the line: one flipped bit loses neither.
  return env::ReplaceFile(fs, env::JoinPath(directory, kFileName), Line(start) + Line(start));
}

absl::StatusOr<LogStart> ReadLogStart(env::FileSystem& fs, const std::string& directory) {
  const std::string path = env::JoinPath(directory, kFileName);
  CAIRN_ASSIGN_OR_RETURN(const std::string content, env::ReadFile(fs, path, kMaxFileBytes));
  std::vector<std::string> lines = absl::StrSplit(content, '\n');
  // By position too: a flipped bit may have taken the end of the first line.
  const size_t half = content.size() / 2;
  if (half > 0) {
    lines.push_back(content.substr(0, half - 1));
    lines.push_back(content.substr(half, content.size() - half - 1));
  }
  LogStart start;
  for (const std::string& line : lines) {
    if (ParseLine(line, start)) return start;
  }
  return absl::DataLossError(base::StrCat(path, " is damaged: no line of it fits its CRC32C"));
}

}  // namespace cairn::log
