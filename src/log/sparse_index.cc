#include "log/sparse_index.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::log {
namespace {

using base::LoadLittleEndian;
using base::StoreLittleEndian;

// The file: a page with identity and marks, then entries of 32 bytes, none across a page boundary.
constexpr size_t kPageBytes = 4096;
constexpr size_t kIdentityAt = 0;
constexpr size_t kDurableMarkAt = 512;
constexpr size_t kCloseMarkAt = 1024;
constexpr size_t kClearsAt = 1536;  // how often the close mark was cleared
constexpr size_t kEntriesAt = kPageBytes;
constexpr size_t kEntryBytes = 32;
constexpr size_t kIdentityBytes = 32;
constexpr size_t kDurableMarkBytes = 28;
constexpr size_t kCloseMarkBytes = 44;
constexpr char kIndexMagic[8] = {'c', 'a', 'i', 'r', 'n', 'i', 'd', 'x'};
// Room that a new index gets; it doubles from there. 1,000 idle partitions take 16 MiB of disk.
constexpr uint64_t kInitialBytes = 4 * kPageBytes;

// The closing CRC of the `size` bytes at `from`. Its seed says where they belong, so that zeros,
// and bytes that were written to the wrong place, do not check.
uint32_t SealOf(const char* from, size_t size, uint32_t seed) {
  return base::ExtendCrc32c(seed, std::string_view(from, size - 4));
}
void Seal(char* from, size_t size, uint32_t seed) {
  StoreLittleEndian<uint32_t>(from + size - 4, SealOf(from, size, seed));
}
bool IsSealed(const char* from, size_t size, uint32_t seed) {
  return LoadLittleEndian<uint32_t>(from + size - 4) == SealOf(from, size, seed);
}

// The identity completes a lost store header: its seed has only what the name of the file and its
// log say.
uint32_t IdentitySeed(const StoreHeader& store) {
  StoreHeader known;
  known.topic_id = store.topic_id;
  known.partition = store.partition;
  known.base_offset = store.base_offset;
  return known.SeedAt(kIdentityAt);
}

void EncodeIdentity(const StoreHeader& store, char* to) {
  std::memcpy(to, kIndexMagic, sizeof(kIndexMagic));
  StoreLittleEndian<uint32_t>(to + 8, store.generation);
  StoreLittleEndian<uint64_t>(to + 12, store.base_offset.value());
  StoreLittleEndian<uint64_t>(to + 20, store.base_index.value());
  Seal(to, kIdentityBytes, IdentitySeed(store));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SparseIndex>> SparseIndex::Create(env::FileSystem& fs,
                                                                 std::string path,
                                                                 const StoreHeader& store) {
  if (const absl::Status removed = fs.RemoveFile(path);
      !removed.ok() && !absl::IsNotFound(removed)) {
    return removed;
  }
  CAIRN_ASSIGN_OR_RETURN(auto file, fs.Open(path, env::OpenMode::kCreate));
  std::unique_ptr<SparseIndex> index(new SparseIndex(std::move(file), store));
  CAIRN_RETURN_IF_ERROR(index->file_->Allocate(kInitialBytes));
  CAIRN_RETURN_IF_ERROR(index->MapWhole(kInitialBytes));
  EncodeIdentity(store, index->mapping()->bytes().data() + kIdentityAt);
  return index;
}

absl::StatusOr<std::unique_ptr<SparseIndex>> SparseIndex::Open(env::FileSystem& fs,
                                                               std::string path,
                                                               const StoreHeader& store) {
  CAIRN_ASSIGN_OR_RETURN(auto file, fs.Open(path, env::OpenMode::kReadWrite));
  CAIRN_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size < kEntriesAt) {
    return absl::DataLossError(base::StrCat(path, " is cut short: ", size, " bytes"));
  }
  std::unique_ptr<SparseIndex> index(new SparseIndex(std::move(file), store));
  CAIRN_RETURN_IF_ERROR(index->MapWhole(size));
  char identity[kIdentityBytes];
  EncodeIdentity(store, identity);
  const char* bytes = index->mapping()->bytes().data();
  if (std::memcmp(bytes + kIdentityAt, identity, kIdentityBytes) != 0) {
    return absl::DataLossError(base::StrCat(path, " is not the index of its store file"));
  }
  // With a close mark the entries are as they were left: each is checked when it is used. Without
  // one, only the prefix whose CRCs hold and that ascends is what was written, page by page.
  if (const auto close = index->close_mark(); close && close->entry_count <= index->capacity_) {
    index->count_.store(close->entry_count, std::memory_order_release);
    return index;
  }
  index->ClearCloseMark();
  IndexEntry last;
  for (uint32_t i = 0; i < index->capacity_; ++i) {
    index->count_.store(i + 1, std::memory_order_release);
    const auto entry = index->At(i);
    if (!entry || (i > 0 && (entry->position <= last.position || entry->index <= last.index ||
                             entry->offset < last.offset))) {
      index->count_.store(i, std::memory_order_release);
      break;
    }
    last = *entry;
  }
  return index;
}

absl::StatusOr<bool> SparseIndex::CompleteHeader(env::FileSystem& fs, const std::string& path,
                                                 StoreHeader& header) {
  const auto file = fs.Open(path, env::OpenMode::kReadOnly);
  if (absl::IsNotFound(file.status())) return false;
  if (!file.ok()) return file.status();
  char identity[kIdentityBytes];
  CAIRN_ASSIGN_OR_RETURN(const size_t got, (*file)->ReadAt(kIdentityAt, identity));
  if (got < kIdentityBytes) return false;
  StoreHeader said = header;
  said.generation = LoadLittleEndian<uint32_t>(identity + 8);
  said.base_index = Index(LoadLittleEndian<uint64_t>(identity + 20));
  char expected[kIdentityBytes];
  EncodeIdentity(said, expected);
  if (std::memcmp(identity, expected, kIdentityBytes) != 0) return false;
  header = said;
  return true;
}

absl::Status SparseIndex::MapWhole(uint64_t size_bytes) {
  CAIRN_ASSIGN_OR_RETURN(std::shared_ptr<env::Mapping> fresh, file_->Map(size_bytes));
  capacity_ = static_cast<uint32_t>((size_bytes - kEntriesAt) / kEntryBytes);
  base::MutexLock lock(mutex_);
  mapping_ = std::move(fresh);
  return absl::OkStatus();
}

std::shared_ptr<env::Mapping> SparseIndex::mapping() const {
  base::MutexLock lock(mutex_);
  return mapping_;
}

bool SparseIndex::Append(const IndexEntry& entry) {
  const uint32_t count = count_.load(std::memory_order_relaxed);
  const uint64_t relative_offset = entry.offset - store_.base_offset;
  const uint64_t relative_index = entry.index - store_.base_index;
  constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
  if (relative_offset > kMax || relative_index > kMax) return false;
  if (count == capacity_) {
    const uint64_t used = kEntriesAt + uint64_t{count} * kEntryBytes;
    const uint64_t grown = std::max(kInitialBytes, (used * 2 + kPageBytes - 1) & ~(kPageBytes - 1));
    if (!file_->Allocate(grown).ok() || !MapWhole(grown).ok()) return false;
  }
  const size_t at = kEntriesAt + size_t{count} * kEntryBytes;
  char* to = mapping()->bytes().data() + at;
  StoreLittleEndian<uint32_t>(to, static_cast<uint32_t>(relative_offset));
  StoreLittleEndian<uint32_t>(to + 4, static_cast<uint32_t>(relative_index));
  StoreLittleEndian<uint32_t>(to + 8, entry.position);
  StoreLittleEndian<int32_t>(to + 12, entry.term.value());
  StoreLittleEndian<int64_t>(to + 16, entry.max_timestamp_ms);
  StoreLittleEndian<uint32_t>(to + 24, 0);
  Seal(to, kEntryBytes, store_.SeedAt(at));
  count_.store(count + 1, std::memory_order_release);
  return true;
}

void SparseIndex::TruncateTo(uint32_t count) {
  count_.store(count, std::memory_order_release);
  // Not to the end of the mapping: a trimmed file is shorter, and storing behind it is fatal.
  const size_t from = kEntriesAt + size_t{count} * kEntryBytes;
  const size_t end = kEntriesAt + size_t{capacity_} * kEntryBytes;
  if (from < end) std::memset(mapping()->bytes().data() + from, 0, end - from);
}

void SparseIndex::SetDurableMark(const DurableMark& mark) {
  char* to = mapping()->bytes().data() + kDurableMarkAt;
  StoreLittleEndian<uint32_t>(to, mark.store_bytes);
  StoreLittleEndian<uint32_t>(to + 4, 0);
  StoreLittleEndian<uint64_t>(to + 8, mark.end_offset.value());
  StoreLittleEndian<uint64_t>(to + 16, mark.end_index.value());
  Seal(to, kDurableMarkBytes, store_.SeedAt(kDurableMarkAt));
}

std::optional<DurableMark> SparseIndex::durable_mark() const {
  const auto map = mapping();
  const char* from = map->bytes().data() + kDurableMarkAt;
  if (!IsSealed(from, kDurableMarkBytes, store_.SeedAt(kDurableMarkAt))) return std::nullopt;
  DurableMark mark;
  mark.store_bytes = LoadLittleEndian<uint32_t>(from);
  mark.end_offset = Offset(LoadLittleEndian<uint64_t>(from + 8));
  mark.end_index = Index(LoadLittleEndian<uint64_t>(from + 16));
  return mark;
}

void SparseIndex::SetCloseMark(const CloseMark& mark) {
  char* to = mapping()->bytes().data() + kCloseMarkAt;
  StoreLittleEndian<uint32_t>(to, mark.store_bytes);
  StoreLittleEndian<uint32_t>(to + 4, mark.entry_count);
  StoreLittleEndian<uint64_t>(to + 8, mark.end_offset.value());
  StoreLittleEndian<uint64_t>(to + 16, mark.end_index.value());
  StoreLittleEndian<int32_t>(to + 24, mark.last_term.value());
  StoreLittleEndian<uint32_t>(to + 28, mark.sealed ? 1 : 0);
  StoreLittleEndian<int64_t>(to + 32, mark.max_timestamp_ms);
  Seal(to, kCloseMarkBytes, store_.SeedAt(kCloseMarkAt));
}

void SparseIndex::ClearCloseMark() {
  const auto map = mapping();
  std::memset(map->bytes().data() + kCloseMarkAt, 0, kCloseMarkBytes);
  // The page must reach the disk with the next sync even if an earlier, failed one left it cleared
  // in memory and not on disk: the count makes it differ from whatever was there.
  char* clears = map->bytes().data() + kClearsAt;
  StoreLittleEndian<uint32_t>(clears, LoadLittleEndian<uint32_t>(clears) + 1);
}

std::optional<CloseMark> SparseIndex::close_mark() const {
  const auto map = mapping();
  const char* from = map->bytes().data() + kCloseMarkAt;
  if (!IsSealed(from, kCloseMarkBytes, store_.SeedAt(kCloseMarkAt))) return std::nullopt;
  CloseMark mark;
  mark.store_bytes = LoadLittleEndian<uint32_t>(from);
  mark.entry_count = LoadLittleEndian<uint32_t>(from + 4);
  mark.end_offset = Offset(LoadLittleEndian<uint64_t>(from + 8));
  mark.end_index = Index(LoadLittleEndian<uint64_t>(from + 16));
  mark.last_term = Term(LoadLittleEndian<int32_t>(from + 24));
  mark.sealed = LoadLittleEndian<uint32_t>(from + 28) != 0;
  mark.max_timestamp_ms = LoadLittleEndian<int64_t>(from + 32);
  return mark;
}

absl::Status SparseIndex::Sync() {
  CAIRN_RETURN_IF_ERROR(mapping()->Sync());
  return file_->Sync();
}

absl::Status SparseIndex::Trim() {
  // The mapping stays: readers look only at entries below the count, which the file keeps.
  const uint64_t used = kEntriesAt + uint64_t{entry_count()} * kEntryBytes;
  CAIRN_RETURN_IF_ERROR(file_->Truncate(used));
  capacity_ = entry_count();
  return absl::OkStatus();
}

std::optional<IndexEntry> SparseIndex::At(uint32_t i) const {
  const auto map = mapping();
  const size_t at = kEntriesAt + size_t{i} * kEntryBytes;
  const char* from = map->bytes().data() + at;
  if (!IsSealed(from, kEntryBytes, store_.SeedAt(at))) return std::nullopt;
  IndexEntry entry;
  entry.offset = store_.base_offset + LoadLittleEndian<uint32_t>(from);
  entry.index = store_.base_index + LoadLittleEndian<uint32_t>(from + 4);
  entry.position = LoadLittleEndian<uint32_t>(from + 8);
  entry.term = Term(LoadLittleEndian<int32_t>(from + 12));
  entry.max_timestamp_ms = LoadLittleEndian<int64_t>(from + 16);
  return entry;
}

// The last entry for which `before` holds, where `before` holds for a prefix. A damaged entry is
// stepped over downwards: the answer is then further ahead of the target, which costs a longer walk
// and nothing else.
template <typename Before>
std::optional<IndexEntry> SparseIndex::LastWhere(Before before) const {
  uint32_t low = 0;  // entries below are known to be before
  uint32_t high = entry_count();
  std::optional<IndexEntry> best;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    auto entry = At(middle);
    while (!entry && middle > low) entry = At(--middle);
    if (!entry) {
      // Everything in [low, middle] is damaged: look above it only.
      low = low + (high - low) / 2 + 1;
      continue;
    }
    if (before(*entry)) {
      best = entry;
      low = std::max(middle + 1, low + (high - low) / 2 + 1);
    } else {
      high = middle;
    }
  }
  return best;
}

std::optional<IndexEntry> SparseIndex::FloorOffset(Offset offset) const {
  return LastWhere([offset](const IndexEntry& entry) { return entry.offset <= offset; });
}

std::optional<IndexEntry> SparseIndex::FloorIndex(Index index) const {
  return LastWhere([index](const IndexEntry& entry) { return entry.index <= index; });
}

std::optional<IndexEntry> SparseIndex::FloorTimestamp(int64_t timestamp_ms) const {
  return LastWhere(
      [timestamp_ms](const IndexEntry& entry) { return entry.max_timestamp_ms < timestamp_ms; });
}

}  // namespace cairn::log
