#include "env/sim_file_data.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace cairn::env {
namespace {

// Room for a mapped file to grow without moving. Memory that is not touched costs nothing.
constexpr size_t kMappedCapacityBytes = size_t{1} << 20;

void Apply(std::string& content, uint64_t position, std::string_view data) {
  if (content.size() < position + data.size()) content.resize(position + data.size());
  std::memcpy(content.data() + position, data.data(), data.size());
}

}  // namespace

SimFileData::SimFileData() : SimFileData(std::make_shared<std::string>()) {}

SimFileData::SimFileData(std::shared_ptr<std::string> content)
    : current_(content), durable_(std::move(content)) {}

SimFileData SimFileData::KilledCopy() const {
  SimFileData copy = *this;
  copy.mappings_ = 0;
  // A mapped content changes without asking, so it cannot be shared.
  if (mappings_ > 0) copy.current_ = std::make_shared<std::string>(*current_);
  return copy;
}

size_t SimFileData::Read(uint64_t position, std::span<char> into) const {
  if (position >= current_->size()) return 0;
  const size_t size = std::min<uint64_t>(into.size(), current_->size() - position);
  std::memcpy(into.data(), current_->data() + position, size);
  return size;
}

void SimFileData::Write(uint64_t position, std::string data, uint64_t sequence) {
  if (data.empty()) return;
  const uint64_t end = position + data.size();
  if (end > size()) ResizeCurrent(end);
  Apply(OwnCurrent(), position, data);
  if (clean_ != nullptr) Apply(Own(clean_), position, data);
  pending_.push_back({sequence, Change::Kind::kWrite, position,
                      std::make_shared<const std::string>(std::move(data))});
}

void SimFileData::Resize(uint64_t size_bytes, uint64_t sequence) {
  if (size_bytes == size()) return;
  const auto kind = size_bytes > size() ? Change::Kind::kGrow : Change::Kind::kShrink;
  ResizeCurrent(size_bytes);
  if (clean_ != nullptr) Own(clean_).resize(size_bytes);
  pending_.push_back({sequence, kind, size_bytes, nullptr});
}

void SimFileData::Sync() {
  if (!pending_.empty()) {
    std::string& durable = Own(durable_);
    for (const Change& change : pending_) {
      if (change.kind == Change::Kind::kWrite) {
        Apply(durable, change.position, *change.data);
      } else {
        durable.resize(change.position);
      }
    }
    pending_.clear();
  }
  ForEachDirtyPage([this](size_t begin, size_t end) {
    Apply(Own(durable_), begin, std::string_view(*current_).substr(begin, end - begin));
    Apply(Own(clean_), begin, std::string_view(*current_).substr(begin, end - begin));
  });
  if (mappings_ == 0) clean_.reset();
}

void SimFileData::FailSync(CrashDice& dice, bool evict_cache) {
  durable_ = Survivors(dice);
  pending_.clear();
  if (evict_cache) {
    std::string& current = OwnCurrent();
    const size_t known = std::min(current.size(), durable_->size());
    std::memcpy(current.data(), durable_->data(), known);
    std::memset(current.data() + known, 0, current.size() - known);
  }
  clean_ = mappings_ > 0 ? std::make_shared<std::string>(*current_) : nullptr;
}

std::shared_ptr<std::string> SimFileData::Survivors(CrashDice& dice) const {
  // Comparing pages is cheap beside copying the file when there is nothing to lose.
  bool is_clean = pending_.empty();
  if (is_clean) ForEachDirtyPage([&](size_t, size_t) { is_clean = false; });
  if (is_clean) return durable_;

  auto survivors = std::make_shared<std::string>(*durable_);
  std::string& content = *survivors;
  uint64_t length = content.size();  // content may be longer: data that waits for its length
  for (size_t i = 0; i < pending_.size(); ++i) {
    const Change& change = pending_[i];
    const bool is_last = i + 1 == pending_.size();
    if (change.kind == Change::Kind::kGrow && change.position > length) {
      length = dice.Extend(length, change.position, change.sequence, is_last);
      continue;
    }
    if (change.kind != Change::Kind::kWrite) {
      // A cut, if only of what an earlier cut would have taken, had that one survived.
      if (!dice.Keep(change.sequence, is_last)) continue;
      length = change.position;
      content.resize(std::min<uint64_t>(content.size(), length));
      continue;
    }
    const uint64_t end = change.position + change.data->size();
    for (uint64_t at = change.position; at < end;) {
      const uint64_t piece_end = std::min(end, (at / dice.piece_bytes() + 1) * dice.piece_bytes());
      if (dice.Keep(change.sequence, is_last)) {
        Apply(content, at,
              std::string_view(*change.data).substr(at - change.position, piece_end - at));
      }
      at = piece_end;
    }
    if (end > length) length = dice.Extend(length, end, change.sequence, is_last);
  }
  ForEachDirtyPage([&](size_t begin, size_t end) {
    if (dice.KeepPage()) {
      Apply(content, begin, std::string_view(*current_).substr(begin, end - begin));
    }
  });
  content.resize(length);
  return survivors;
}

std::shared_ptr<std::string> SimFileData::Map() {
  if (mappings_ == 0) {
    // Also takes the content out of the hands of copies that share it.
    auto stable = std::make_shared<std::string>();
    stable->reserve(std::max(kMappedCapacityBytes, current_->size() * 4));
    stable->assign(*current_);
    if (clean_ == nullptr) clean_ = std::make_shared<std::string>(*current_);
    current_ = std::move(stable);
  }
  ++mappings_;
  return current_;
}

void SimFileData::FlipBit(uint64_t bit) {
  const auto flip = [bit](std::string& content) {
    if (bit / 8 >= content.size()) return;
    content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << bit % 8));
  };
  flip(OwnCurrent());
  flip(Own(durable_));
  if (clean_ != nullptr) flip(Own(clean_));
}

std::string& SimFileData::Own(std::shared_ptr<std::string>& bytes) {
  if (bytes.use_count() > 1) bytes = std::make_shared<std::string>(*bytes);
  return *bytes;
}

std::string& SimFileData::OwnCurrent() { return mappings_ > 0 ? *current_ : Own(current_); }

void SimFileData::ResizeCurrent(uint64_t size_bytes) {
  CAIRN_CHECK(mappings_ == 0 || size_bytes <= current_->capacity(),
              "a mapped file of the simulator cannot grow this far: raise kMappedCapacityBytes");
  OwnCurrent().resize(size_bytes);
}

template <typename PageFunction>
void SimFileData::ForEachDirtyPage(PageFunction page) const {
  if (clean_ == nullptr) return;
  for (size_t begin = 0; begin < current_->size(); begin += kPageBytes) {
    const size_t end = std::min<size_t>(begin + kPageBytes, current_->size());
    if (std::memcmp(current_->data() + begin, clean_->data() + begin, end - begin) != 0) {
      page(begin, end);
    }
  }
}

}  // namespace cairn::env
