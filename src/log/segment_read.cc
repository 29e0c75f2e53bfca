// Segment::Read: entries from the store file, each checked before it is handed out.
#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/crc32c.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "log/segment.h"
#include "log/store_scanner.h"

namespace cairn::log {
namespace {

// The least that is read at once: a lookup has to walk up to an index interval before the wanted
// entry.
constexpr size_t kMinReadBytes = 32 << 10;
// The most, however much the caller would take; a larger entry is read on its own.
constexpr size_t kMaxReadBytes = 4 << 20;

// One walk from the index's answer to the last entry that fits.
class Walk {
 public:
  Walk(const Segment& segment, const env::File& file, const Segment::ReadOptions& options,
       std::vector<Entry>& entries, Damage* met)
      : segment_(segment),
        file_(file),
        options_(options),
        entries_(entries),
        met_(met),
        already_(entries.size()),
        size_(segment.size_bytes()) {}

  absl::Status Run() {
    CAIRN_RETURN_IF_ERROR(FindStart());
    while (position_ < size_) {
      CAIRN_RETURN_IF_ERROR(Fill(kEntryHeaderBytes));
      const auto header = HeaderHere();
      const bool continues = header.ok() && (!expected_ || header->index == *expected_);
      if (!continues) {
        if (Found()) return absl::OkStatus();  // the damage is for the next read
        CAIRN_RETURN_IF_ERROR(StepOverDamage());
        continue;
      }
      if (header->end_offset() > options_.limit_offset) return absl::OkStatus();
      if (IsBefore(*header)) {
        Advance(*header);
        continue;
      }
      if (!Found() && IsBeyond(*header)) return HoleBefore(*header);
      const size_t bytes = kEntryHeaderBytes + header->body_bytes;
      if (Found() && taken_ + bytes > options_.max_bytes) return absl::OkStatus();
      CAIRN_RETURN_IF_ERROR(Fill(bytes));
      if (!Take(*header, bytes)) {
        if (Found()) return absl::OkStatus();
        CAIRN_RETURN_IF_ERROR(StepOverDamage());
      }
    }
    return absl::OkStatus();
  }

 private:
  bool Found() const { return entries_.size() > already_; }

  // Whether the entry comes before what is asked for, or is of a kind that is not.
  bool IsBefore(const EntryHeader& header) const {
    if (options_.from_index) return header.index < *options_.from_index;
    return header.kind != EntryKind::kBatch || header.end_offset() <= *options_.from_offset;
  }

  // Whether something asked for should have come before the entry.
  bool IsBeyond(const EntryHeader& header) const {
    if (options_.from_index) return header.index > *options_.from_index;
    return header.base_offset > *options_.from_offset;
  }

  // The place that the index names, if the store confirms it; otherwise the beginning, which costs
  // a longer walk and is as right.
  absl::Status FindStart() {
    position_ = kStoreHeaderBytes;
    const SparseIndex& index = segment_.index();
    const auto floor = options_.from_index ? index.FloorIndex(*options_.from_index)
                                           : index.FloorOffset(*options_.from_offset);
    if (!floor || floor->position >= size_) return absl::OkStatus();
    position_ = floor->position;
    CAIRN_RETURN_IF_ERROR(Fill(kEntryHeaderBytes));
    const auto header = HeaderHere();
    if (!header.ok() || header->index != floor->index) position_ = kStoreHeaderBytes;
    return absl::OkStatus();
  }

  // Makes the bytes [position_, position_ + bytes) available in the buffer, or fewer at the end of
  // the store.
  absl::Status Fill(size_t bytes) {
    const uint64_t wanted = std::min<uint64_t>(bytes, size_ - position_);
    if (buffer_ && position_ >= buffer_at_ && position_ + wanted <= buffer_at_ + buffer_->size()) {
      return absl::OkStatus();
    }
    const size_t budget = options_.max_bytes - std::min(options_.max_bytes, taken_);
    const size_t chunk =
        std::max(bytes, std::clamp(budget + kIndexIntervalBytes, kMinReadBytes, kMaxReadBytes));
    buffer_ = std::make_shared<std::string>();
    buffer_->resize(static_cast<size_t>(std::min<uint64_t>(chunk, size_ - position_)));
    buffer_at_ = position_;
    CAIRN_ASSIGN_OR_RETURN(const size_t got,
                           file_.ReadAt(position_, {buffer_->data(), buffer_->size()}));
    buffer_->resize(got);
    return absl::OkStatus();
  }

  std::string_view Here() const {
    return std::string_view(*buffer_).substr(static_cast<size_t>(position_ - buffer_at_));
  }

  absl::StatusOr<EntryHeader> HeaderHere() const {
    const std::string_view bytes = Here();
    if (bytes.size() < kEntryHeaderBytes) return absl::DataLossError("entry header is cut short");
    return DecodeEntryHeader(bytes, segment_.header().SeedAt(position_));
  }

  void Advance(const EntryHeader& header) {
    position_ += kEntryHeaderBytes + header.body_bytes;
    expected_ = header.index + 1;
  }

  // Takes the entry at the position. False when its body is damaged.
  bool Take(const EntryHeader& header, size_t bytes) {
    if (Here().size() < bytes) return false;
    Entry entry;
    entry.header = header;
    entry.buffer = buffer_;
    entry.body_position = static_cast<size_t>(position_ - buffer_at_) + kEntryHeaderBytes;
    if (base::Crc32c(entry.body()) != header.body_crc) return false;
    entries_.push_back(std::move(entry));
    taken_ += bytes;
    Advance(header);
    return true;
  }

  absl::Status HoleBefore(const EntryHeader& header) const {
    return Lost({segment_.path(), position_, position_,
                 options_.from_offset.value_or(header.base_offset), header.base_offset,
                 base::StrCat("index ", header.index.value(), " is not what follows"),
                 options_.from_index.value_or(Index()), header.index});
  }

  absl::Status Lost(const Damage& damage) const {
    if (met_ != nullptr) *met_ = damage;
    return DamageError(damage);
  }

  // Something at the position is damaged. Fails when it may hide what is asked for; otherwise goes
  // on behind.
  absl::Status StepOverDamage() {
    StoreScanner scanner(file_, segment_.header(), position_, size_);
    CAIRN_ASSIGN_OR_RETURN(const StoreScanner::Step bad, scanner.Next());
    if (bad.kind != StoreScanner::Kind::kDamage) return HoleBefore(bad.header);
    Damage damage{segment_.path(),       position_,
                  bad.next_position,     options_.from_offset.value_or(segment_.base_offset()),
                  segment_.end_offset(), std::string(bad.damage.message())};
    bool hides = true;
    if (bad.header_intact) {
      hides = !IsBefore(bad.header);
      damage.first_offset = bad.header.base_offset;
      damage.end_offset = bad.header.end_offset();
      damage.first_index = bad.header.index;
      damage.end_index = bad.header.index + 1;
    } else {
      // The range ends where the next intact header begins; what that says tells what was lost.
      char bytes[kEntryHeaderBytes];
      CAIRN_ASSIGN_OR_RETURN(const size_t got, file_.ReadAt(bad.next_position, bytes));
      if (bad.next_position < size_ && got == kEntryHeaderBytes) {
        const auto next =
            DecodeEntryHeader({bytes, got}, segment_.header().SeedAt(bad.next_position));
        hides = !next.ok() || IsBeyond(*next);
        if (next.ok()) {
          damage.end_offset = next->base_offset;
          damage.first_index = options_.from_index.value_or(Index());
          damage.end_index = next->index;
        }
      }
    }
    if (hides) return Lost(damage);
    position_ = bad.next_position;
    expected_.reset();
    return absl::OkStatus();
  }

  const Segment& segment_;
  const env::File& file_;
  const Segment::ReadOptions& options_;
  std::vector<Entry>& entries_;
  Damage* const met_;
  const size_t already_;
  const uint64_t size_;
  uint64_t position_ = 0;
  size_t taken_ = 0;
  std::optional<Index> expected_;  // index of the next entry, once one was seen
  std::shared_ptr<std::string> buffer_;
  uint64_t buffer_at_ = 0;
};

}  // namespace

absl::Status Segment::Read(const ReadOptions& options, std::vector<Entry>& entries,
                           Damage* damage) const {
  return Walk(*this, *store_, options, entries, damage).Run();
}

}  // namespace cairn::log
