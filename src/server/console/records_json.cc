#include "server/console/records_json.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/json_bytes.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "log/entry.h"
#include "log/records.h"

namespace cairn::server {
namespace {

using Bytes = std::optional<std::string_view>;

void AppendCut(std::string_view name, const Bytes& bytes, size_t limit, std::string& out) {
  if (!bytes || bytes->size() <= limit) return base::AppendJsonBytes(name, bytes, out);
  base::AppendJsonBytes(name, base::CutText(*bytes, limit), out);
  out += base::StrCat(",\"", name, "_bytes\":", bytes->size());
}

void AppendRecord(const log::RecordView& record, Offset offset, size_t limit, std::string& out) {
  out += base::StrCat("{\"offset\":", offset.value(), ",\"timestamp_ms\":", record.timestamp_ms);
  if (record.key) {
    out += ',';
    AppendCut("key", record.key, limit, out);
  }
  out += ',';
  AppendCut("value", record.value, limit, out);
  if (!record.headers.empty()) {
    const size_t shown = std::min(record.headers.size(), kMaxHeadersShown);
    out += ",\"headers\":[";
    for (size_t i = 0; i < shown; ++i) {
      out += i == 0 ? "{" : ",{";
      AppendCut("name", record.headers[i].name, limit, out);
      out += ',';
      AppendCut("value", record.headers[i].value, limit, out);
      out += '}';
    }
    out += ']';
    if (shown < record.headers.size()) {
      out += base::StrCat(",\"headers_count\":", record.headers.size());
    }
  }
  out += '}';
}

size_t SizeOf(const log::RecordView& record) {
  size_t bytes = record.key.value_or("").size() + record.value.value_or("").size();
  for (const log::HeaderView& header : record.headers) {
    bytes += header.name.size() + header.value.value_or("").size();
  }
  return bytes;
}

}  // namespace

absl::Status RecordsWriter::Add(const broker::FetchResult& fetched) {
  log_start_ = fetched.log_start;
  high_watermark_ = fetched.high_watermark;
  std::string scratch;
  log::RecordView record;
  for (const log::Entry& entry : fetched.entries) {
    if (full()) break;
    CAIRN_ASSIGN_OR_RETURN(const std::string_view section,
                           log::UncompressedRecords(entry, scratch));
    log::RecordsReader reader(section, entry.header.base_timestamp_ms);
    for (Offset offset = entry.header.base_offset; !full(); ++offset) {
      CAIRN_ASSIGN_OR_RETURN(const bool more, reader.Next(record));
      if (!more) break;
      if (offset < next_) continue;
      rows_ += records_ == 0 ? "\n" : ",\n";
      AppendRecord(record, offset, query_.cut_bytes, rows_);
      ++records_;
      bytes_ += SizeOf(record);
      next_ = offset + 1;
    }
  }
  return absl::OkStatus();
}

std::string RecordsWriter::Json() const {
  // Topic names need no escapes.
  return base::StrCat(R"({"topic":")", query_.topic, R"(","partition":)", query_.partition.value(),
                      ",\"log_start\":", log_start_.value(),
                      ",\"high_watermark\":", high_watermark_.value(),
                      ",\"next_offset\":", next_.value(), ",\"records\":[", rows_, "]}\n");
}

}  // namespace cairn::server
