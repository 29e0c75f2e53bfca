#include "apps/log_verify.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "log/records.h"

namespace cairn::apps {
namespace {

// What one walk over a log knows.
class Verifier {
 public:
  Verifier(env::FileSystem& fs, const StoredLog& stored, VerifyResult& result)
      : fs_(fs), stored_(stored), result_(result) {}

  absl::Status Run() {
    if (stored_.whole) CAIRN_RETURN_IF_ERROR(CheckStart());
    for (size_t i = 0; i < stored_.segments.size(); ++i) {
      CAIRN_RETURN_IF_ERROR(CheckSegment(stored_.segments[i], i + 1 == stored_.segments.size()));
    }
    return absl::OkStatus();
  }

 private:
  void Find(const std::string& file, uint64_t position, uint64_t offset, std::string what) {
    result_.findings.push_back(
        {.file = file, .position = position, .offset = offset, .what = std::move(what)});
  }

  absl::Status CheckStart() {
    const auto start = log::ReadLogStart(fs_, stored_.directory);
    if (!start.ok() && !absl::IsDataLoss(start.status()) && !absl::IsNotFound(start.status())) {
      return start.status();
    }
    if (!start.ok()) {
      Find(stored_.directory + "/log-start", 0, 0, start.status().ToString());
      return absl::OkStatus();
    }
    if (stored_.segments.empty()) {
      if (!start->pending) {
        Find(stored_.directory, 0, start->offset.value(),
             "expected at least one store file, found none");
      }
      return absl::OkStatus();
    }
    if (const Offset first = stored_.segments.front().base_offset; first > start->offset) {
      Find(stored_.segments.front().path, 0, start->offset.value(),
           base::StrCat("expected a store file that begins at or before offset ",
                        start->offset.value(), ", found the first at ", first.value()));
    }
    return absl::OkStatus();
  }

  absl::Status CheckSegment(const StoredSegment& segment, bool is_last) {
    ++result_.files;
    auto store = OpenStoreFile(fs_, segment.path);
    if (!store.ok()) {
      if (!absl::IsDataLoss(store.status()) && !absl::IsUnimplemented(store.status())) {
        return store.status();
      }
      Find(segment.path, 0, segment.base_offset.value(), store.status().ToString());
      has_next_ = false;
      return absl::OkStatus();
    }
    result_.bytes += store->size_bytes;
    if (store->header.base_offset != segment.base_offset) {
      Find(segment.path, 0, segment.base_offset.value(),
           base::StrCat("expected base offset ", segment.base_offset.value(),
                        " as in the file's name, found ", store->header.base_offset.value()));
    }
    Expect(segment.path, 0, store->header.base_offset, store->header.base_index);
    next_offset_ = store->header.base_offset;
    next_index_ = store->header.base_index;
    has_next_ = true;
    return Walk(segment.path, *store, is_last);
  }

  // Compares where something begins with where what came before it ended.
  void Expect(const std::string& file, uint64_t position, Offset offset, Index index) {
    if (!has_next_) return;
    if (offset != next_offset_) {
      Find(file, position, next_offset_.value(),
           base::StrCat("expected offset ", next_offset_.value(), ", found ", offset.value(),
                        offset > next_offset_ ? ": records are missing" : ""));
    } else if (index != next_index_) {
      Find(file, position, next_offset_.value(),
           base::StrCat("expected entry number ", next_index_.value(), ", found ", index.value()));
    }
  }

  absl::Status Walk(const std::string& path, const OpenStore& store, bool is_last) {
    log::StoreScanner scanner(*store.file, store.header, log::kStoreHeaderBytes, store.size_bytes);
    uint64_t durable = log::kStoreHeaderBytes;  // what intact headers say was synced
    while (true) {
      CAIRN_ASSIGN_OR_RETURN(const log::StoreScanner::Step step, scanner.Next());
      switch (step.kind) {
        case log::StoreScanner::Kind::kEnd:
          return absl::OkStatus();
        case log::StoreScanner::Kind::kEntry:
          durable = std::max<uint64_t>(durable, step.header.durable_bytes);
          CAIRN_RETURN_IF_ERROR(CheckEntry(path, store, step));
          break;
        case log::StoreScanner::Kind::kDamage: {
          if (step.header_intact) durable = std::max<uint64_t>(durable, step.header.durable_bytes);
          Finding finding{.file = path,
                          .position = step.position,
                          .offset = next_offset_.value(),
                          .what = std::string(base::StdView(step.damage.message()))};
          const bool torn =
              is_last && step.next_position == store.size_bytes && step.position >= durable;
          (torn ? result_.torn_tails : result_.findings).push_back(std::move(finding));
          // What is behind it cannot be compared with what is before it, unless the header says.
          has_next_ = step.header_intact;
          if (step.header_intact) {
            next_offset_ = step.header.end_offset();
            next_index_ = step.header.index + 1;
          }
        }
      }
    }
  }

  absl::Status CheckEntry(const std::string& path, const OpenStore& store,
                          const log::StoreScanner::Step& step) {
    const log::EntryHeader& header = step.header;
    ++result_.entries;
    Expect(path, step.position, header.base_offset, header.index);
    has_next_ = true;
    next_offset_ = header.end_offset();
    next_index_ = header.index + 1;
    if (header.kind != log::EntryKind::kBatch) return absl::OkStatus();
    result_.records += header.record_count;
    CAIRN_ASSIGN_OR_RETURN(std::string body, ReadBody(*store.file, step));
    const log::Batch batch{.records = std::move(body),
                           .record_count = header.record_count,
                           .codec = header.codec(),
                           .base_timestamp_ms = header.base_timestamp_ms,
                           .max_timestamp_ms = header.max_timestamp_ms,
                           .producer_id = header.producer_id,
                           .producer_epoch = header.producer_epoch,
                           .base_sequence = header.base_sequence};
    // Of any size: the topic's limits may have been others when it was written.
    constexpr log::BatchLimits kNoLimits{
        .max_record_bytes = std::numeric_limits<uint64_t>::max(),
        .max_batch_bytes = log::kMaxBodyBytes,
        .max_records = std::numeric_limits<uint32_t>::max(),
        .max_headers_per_record = std::numeric_limits<uint32_t>::max()};
    if (const absl::Status valid = log::ValidateBatch(batch, kNoLimits); !valid.ok()) {
      Find(path, step.position, header.base_offset.value(),
           std::string(base::StdView(valid.message())));
    }
    return absl::OkStatus();
  }

  env::FileSystem& fs_;
  const StoredLog& stored_;
  VerifyResult& result_;
  bool has_next_ = false;  // whether the next two are known
  Offset next_offset_;
  Index next_index_;
};

}  // namespace

absl::Status VerifyLog(env::FileSystem& fs, const StoredLog& stored, VerifyResult& result) {
  return Verifier(fs, stored, result).Run();
}

}  // namespace cairn::apps
