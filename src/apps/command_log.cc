// cairn log dump|verify PATH: looks at store files without a server.

#include <unistd.h>

#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/log_verify.h"
#include "apps/output_writer.h"
#include "apps/record_json.h"
#include "apps/report.h"
#include "apps/stored_log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/posix.h"
#include "log/compression.h"
#include "log/entry.h"
#include "log/records.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  OutputFormat output = OutputFormat::kText;
  std::string path;
  bool records = false;
};

Json ToJson(const Finding& finding) {
  return {{"file", finding.file},
          {"position", finding.position},
          {"offset", finding.offset},
          {"what", finding.what}};
}

void PrintFinding(const char* kind, const Finding& finding) {
  std::cout << kind << ": " << finding.file << " at byte " << finding.position << ", offset "
            << finding.offset << ": " << finding.what << '\n';
}

void Print(const VerifyResult& result, OutputFormat output) {
  if (output == OutputFormat::kJson) {
    Json findings = Json::array();
    Json torn_tails = Json::array();
    for (const Finding& finding : result.findings) findings.push_back(ToJson(finding));
    for (const Finding& tail : result.torn_tails) torn_tails.push_back(ToJson(tail));
    std::cout << Json{{"files", result.files},        {"bytes", result.bytes},
                      {"entries", result.entries},    {"records", result.records},
                      {"torn_tails", torn_tails},     {"findings", findings},
                      {"ok", result.findings.empty()}}
                     .dump(-1, ' ', false, Json::error_handler_t::replace)
              << '\n';
    return;
  }
  for (const Finding& finding : result.findings) PrintFinding("DAMAGED", finding);
  for (const Finding& tail : result.torn_tails) {
    PrintFinding("never acknowledged, the next start cuts it", tail);
  }
  std::cout << WithCommas(result.files) << " files, " << WithCommas(result.entries) << " entries, "
            << WithCommas(result.records) << " records, "
            << HumanBytes(static_cast<double>(result.bytes)) << ": "
            << (result.findings.empty() ? std::string("all intact")
                                        : std::to_string(result.findings.size()) + " damaged")
            << '\n';
}

absl::StatusOr<bool> Verify(const Flags& flags) {
  const auto fs = env::NewPosixFileSystem();
  CAIRN_ASSIGN_OR_RETURN(const auto logs, FindStoredLogs(*fs, flags.path));
  VerifyResult result;
  for (const StoredLog& stored : logs) CAIRN_RETURN_IF_ERROR(VerifyLog(*fs, stored, result));
  Print(result, flags.output);
  return result.findings.empty();
}

const char* KindName(log::EntryKind kind) {
  switch (kind) {
    case log::EntryKind::kBatch:
      return "batch";
    case log::EntryKind::kBarrier:
      return "barrier";
    case log::EntryKind::kConfiguration:
      return "configuration";
  }
  return "unknown";
}

// Prints the entries of store files, and on demand their records.
class Dumper {
 public:
  explicit Dumper(const Flags& flags) : flags_(flags), out_(output_) {}

  absl::Status Dump(env::FileSystem& fs, const StoredSegment& segment) {
    const auto store = OpenStoreFile(fs, segment.path);
    if (!store.ok()) {
      damaged_ = true;
      AppendDamage(segment.path, 0, store.status());
      return out_.Flush();
    }
    AppendFile(segment.path, *store);
    log::StoreScanner scanner(*store->file, store->header, log::kStoreHeaderBytes,
                              store->size_bytes);
    while (true) {
      CAIRN_ASSIGN_OR_RETURN(const log::StoreScanner::Step step, scanner.Next());
      if (step.kind == log::StoreScanner::Kind::kEnd) return out_.Flush();
      if (step.kind == log::StoreScanner::Kind::kDamage) {
        damaged_ = true;
        AppendDamage(segment.path, step.position, step.damage);
        continue;
      }
      AppendEntry(step);
      if (flags_.records && step.header.kind == log::EntryKind::kBatch) {
        CAIRN_RETURN_IF_ERROR(AppendRecords(*store->file, step));
      }
      if (out_.full()) CAIRN_RETURN_IF_ERROR(out_.Flush());
    }
  }

  bool damaged() const { return damaged_; }

 private:
  void AppendLine(const Json& json) {
    out_.text() += json.dump(-1, ' ', false, Json::error_handler_t::replace);
    out_.text() += '\n';
  }

  void AppendFile(const std::string& path, const OpenStore& store) {
    if (flags_.output == OutputFormat::kJson) {
      AppendLine({{"file", path},
                  {"bytes", store.size_bytes},
                  {"topic_id", store.header.topic_id.ToString()},
                  {"partition", store.header.partition.value()},
                  {"base_offset", store.header.base_offset.value()},
                  {"base_index", store.header.base_index.value()},
                  {"created_ms", store.header.created_ms}});
      return;
    }
    out_.text() += base::StrCat(
        path, ": topic ", store.header.topic_id.ToString(), ", partition ",
        store.header.partition.value(), ", from offset ", store.header.base_offset.value(), ", ",
        WithCommas(store.size_bytes), " bytes, created ", Rfc3339(store.header.created_ms), "\n");
  }

  void AppendDamage(const std::string& path, uint64_t position, const absl::Status& what) {
    if (flags_.output == OutputFormat::kJson) {
      AppendLine({{"damage", std::string(base::StdView(what.message()))},
                  {"file", path},
                  {"position", position}});
      return;
    }
    out_.text() +=
        base::StrCat("  DAMAGED at byte ", position, ": ", base::StdView(what.message()), "\n");
  }

  void AppendEntry(const log::StoreScanner::Step& step) {
    const log::EntryHeader& header = step.header;
    if (flags_.output == OutputFormat::kJson) {
      Json json = {{"position", step.position},
                   {"kind", KindName(header.kind)},
                   {"index", header.index.value()},
                   {"term", header.term.value()},
                   {"base_offset", header.base_offset.value()},
                   {"record_count", header.record_count},
                   {"body_bytes", header.body_bytes},
                   {"codec", log::CodecName(header.codec())},
                   {"base_timestamp_ms", header.base_timestamp_ms},
                   {"max_timestamp_ms", header.max_timestamp_ms}};
      if (header.producer_id != log::kNoProducerId) {
        json["producer"] = {{"id", header.producer_id},
                            {"epoch", header.producer_epoch},
                            {"base_sequence", header.base_sequence}};
      }
      AppendLine(json);
      return;
    }
    std::string& text = out_.text();
    text += base::StrCat("  byte ", step.position, "  ", KindName(header.kind), " ",
                         header.index.value(), "/", header.term.value(), "  offsets [",
                         header.base_offset.value(), ", ", header.end_offset().value(), ")  ",
                         header.body_bytes, " bytes");
    if (header.codec() != log::Codec::kNone) text += ", " + log::CodecName(header.codec());
    text += "  " + Rfc3339(header.base_timestamp_ms);
    if (header.producer_id != log::kNoProducerId) {
      text += base::StrCat("  producer ", header.producer_id, "/", header.producer_epoch, " from ",
                           header.base_sequence);
    }
    text += '\n';
  }

  absl::Status AppendRecords(const env::File& file, const log::StoreScanner::Step& step) {
    CAIRN_ASSIGN_OR_RETURN(std::string body, ReadBody(file, step));
    CAIRN_ASSIGN_OR_RETURN(const std::string records,
                           log::Decompress(step.header.codec(), body, log::kMaxBodyBytes));
    log::RecordsReader reader(records, step.header.base_timestamp_ms);
    log::RecordView view;
    std::vector<Header> headers;
    for (uint64_t offset = step.header.base_offset.value();; ++offset) {
      CAIRN_ASSIGN_OR_RETURN(const bool more, reader.Next(view));
      if (!more) return absl::OkStatus();
      headers.clear();
      for (const log::HeaderView& header : view.headers) {
        headers.push_back({.name = header.name, .value = header.value});
      }
      if (flags_.output == OutputFormat::kText) out_.text() += "    ";
      AppendJson({.offset = offset,
                  .timestamp_ms = view.timestamp_ms,
                  .key = view.key,
                  .value = view.value,
                  .headers = headers},
                 -1, out_.text());
    }
  }

  const Flags& flags_;
  SharedOutput output_{STDOUT_FILENO};
  OutputBuffer out_;
  bool damaged_ = false;
};

absl::StatusOr<bool> Dump(const Flags& flags) {
  const auto fs = env::NewPosixFileSystem();
  CAIRN_ASSIGN_OR_RETURN(const auto logs, FindStoredLogs(*fs, flags.path));
  Dumper dumper(flags);
  for (const StoredLog& stored : logs) {
    for (const StoredSegment& segment : stored.segments) {
      CAIRN_RETURN_IF_ERROR(dumper.Dump(*fs, segment));
    }
  }
  return !dumper.damaged();
}

template <typename Work>
CLI::App* AddSubcommand(CLI::App& parent, Chosen& chosen, const char* name, const char* what,
                        const std::shared_ptr<Flags>& flags, Work work) {
  CLI::App* command = parent.add_subcommand(name, what);
  command
      ->add_option("PATH", flags->path, "A data directory, a partition's directory or a store file")
      ->required();
  AddOutputFlag(*command, flags->output);
  OnChosen(*command, chosen, flags->output, [&chosen, flags, work] {
    const absl::StatusOr<bool> good = work(*flags);
    if (absl::IsCancelled(good.status()))
      return kDone;  // the reader of the pipe has what it wanted
    if (!good.ok()) return Fail(chosen, good.status());
    return *good ? kDone : kFailed;
  });
  return command;
}

}  // namespace

void AddLogCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* log = app.add_subcommand("log", "Look at stored logs, without a server");
  log->require_subcommand(1);
  auto dump_flags = std::make_shared<Flags>();
  CLI::App* dump = AddSubcommand(*log, chosen, "dump", "Print the entries of stored logs",
                                 dump_flags, [](const Flags& flags) { return Dump(flags); });
  dump->add_flag("--records", dump_flags->records, "Print the records too, as JSON");
  AddSubcommand(*log, chosen, "verify",
                "Check stored logs: every checksum, every record, nothing missing; exit 1 when "
                "anything is wrong",
                std::make_shared<Flags>(), [](const Flags& flags) { return Verify(flags); });
}

}  // namespace cairn::apps
