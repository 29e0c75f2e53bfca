#include "broker/producer_snapshot.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"

namespace cairn::broker {
namespace {

constexpr std::string_view kFileName = "producers.snapshot";
// kMaxProducers full windows and their frame.
constexpr uint64_t kMaxFileBytes = 32 << 20;
constexpr size_t kReplayBytes = 1 << 20;

absl::Status ReadBatches(const log::Log& log, Offset from, Offset to,
                         std::vector<log::EntryHeader>& batches) {
  while (from < to) {
    const auto entries = log.Read(from, to, kReplayBytes);
    if (absl::IsDataLoss(entries.status())) {
      const auto info = base::GetErrorInfo(entries.status());
      uint64_t end = 0;
      if (info) {
        const std::string& text = info->metadata.at("end_offset");
        std::from_chars(text.data(), text.data() + text.size(), end);
      }
      if (Offset(end) <= from) return entries.status();
      from = Offset(end);
      continue;
    }
    if (!entries.ok()) return entries.status();
    if (entries->empty()) break;
    for (const log::Entry& entry : *entries) batches.push_back(entry.header);
    from = entries->back().header.end_offset();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteProducerSnapshot(env::FileSystem& fs, const std::string& directory,
                                   std::string_view encoded) {
  return env::ReplaceChecksummedFile(fs, env::JoinPath(directory, kFileName), encoded);
}

absl::StatusOr<LoadedProducers> LoadProducers(env::FileSystem& fs, const log::Log& log) {
  LoadedProducers loaded;
  loaded.end = log.start_offset();
  const auto bytes = env::ReadChecksummedFile(fs, env::JoinPath(log.options().directory, kFileName),
                                              kMaxFileBytes);
  if (bytes.ok()) {
    auto snapshot = ProducerStates::Decode(*bytes);
    // A snapshot of more than the log holds is of another life of the log. To one that ends before
    // the log begins batches are missing: it would take the next ones for out of order.
    if (snapshot.ok() && snapshot->end_offset >= log.start_offset() &&
        snapshot->end_offset <= log.end_offset()) {
      loaded.states = std::move(snapshot->states);
      loaded.end = snapshot->end_offset;
    }
  } else if (!absl::IsNotFound(bytes.status()) && !absl::IsDataLoss(bytes.status())) {
    return bytes.status();
  }
  CAIRN_RETURN_IF_ERROR(ReadBatches(log, loaded.end, log.end_offset(), loaded.batches));
  return loaded;
}

}  // namespace cairn::broker
