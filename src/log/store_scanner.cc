#include "log/store_scanner.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "base/crc32c.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::log {
namespace {

// One read: large enough that a scan runs at the speed of the disk, small enough to forget.
constexpr size_t kWindowBytes = 1 << 20;
// The first byte of an entry's magic; see entry.cc.
constexpr char kMagicFirstByte = 'c';

}  // namespace

absl::StatusOr<std::string_view> StoreScanner::View(uint64_t position, size_t size) {
  size = static_cast<size_t>(std::min<uint64_t>(size, end_ - std::min(position, end_)));
  if (position < window_at_ || position + size > window_at_ + window_.size()) {
    const auto wanted = std::max<size_t>(size, kWindowBytes);
    window_.resize(static_cast<size_t>(std::min<uint64_t>(wanted, end_ - position)));
    window_at_ = position;
    CAIRN_ASSIGN_OR_RETURN(const size_t got,
                           file_.ReadAt(position, {window_.data(), window_.size()}));
    window_.resize(got);
    size = std::min(size, got);
  }
  return std::string_view(window_).substr(position - window_at_, size);
}

absl::StatusOr<uint64_t> StoreScanner::FindHeader(uint64_t from) {
  while (from + kEntryHeaderBytes <= end_) {
    CAIRN_ASSIGN_OR_RETURN(const std::string_view view, View(from, kWindowBytes));
    if (view.size() < kEntryHeaderBytes) break;
    const size_t candidates = view.size() - kEntryHeaderBytes + 1;
    for (size_t at = 0; at < candidates; ++at) {
      at = std::min(view.find(kMagicFirstByte, at), candidates);
      if (at == candidates) break;
      if (DecodeEntryHeader(view.substr(at), store_.SeedAt(from + at)).ok()) return from + at;
    }
    from += candidates;
  }
  return end_;
}

absl::StatusOr<StoreScanner::Step> StoreScanner::Next() {
  Step step;
  step.position = position_;
  step.next_position = position_;
  if (position_ >= end_) return step;

  CAIRN_ASSIGN_OR_RETURN(std::string_view bytes, View(position_, kEntryHeaderBytes));
  if (bytes.size() < kEntryHeaderBytes) {
    step.damage = absl::DataLossError(base::StrCat("entry header is cut short: ", bytes.size(),
                                                   " of ", kEntryHeaderBytes, " bytes"));
  } else {
    auto header = DecodeEntryHeader(bytes, store_.SeedAt(position_));
    step.header_intact = header.ok();
    if (header.ok()) {
      step.header = *header;
    } else {
      step.damage = header.status();
    }
  }

  if (step.header_intact) {
    const size_t size = kEntryHeaderBytes + step.header.body_bytes;
    CAIRN_ASSIGN_OR_RETURN(bytes, View(position_, size));
    step.next_position = position_ + bytes.size();
    if (bytes.size() < size) {
      step.damage = absl::DataLossError(base::StrCat(
          "entry body is cut short: ", bytes.size() - std::min(bytes.size(), kEntryHeaderBytes),
          " of ", step.header.body_bytes, " bytes"));
    } else if (const uint32_t found = base::Crc32c(bytes.substr(kEntryHeaderBytes));
               found != step.header.body_crc) {
      step.damage = absl::DataLossError(absl::StrFormat(
          "entry body CRC32C: expected %08x, found %08x", step.header.body_crc, found));
    }
  } else {
    CAIRN_ASSIGN_OR_RETURN(step.next_position, FindHeader(position_ + 1));
  }
  step.kind = step.damage.ok() ? Kind::kEntry : Kind::kDamage;
  position_ = step.next_position;
  return step;
}

}  // namespace cairn::log
