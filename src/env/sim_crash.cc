#include "env/sim_crash.h"

#include <algorithm>

namespace cairn::env {

CrashDice::CrashDice(const CrashChoice& choice, uint64_t end)
    : kind_(choice.kind), random_(choice.seed) {
  if (kind_ != CrashChoice::Kind::kRandom) return;
  switch (random_.Below(3)) {
    case 0:
      piece_bytes_ = 512;
      break;
    case 1:
      piece_bytes_ = 4096;
      break;
    default:
      break;
  }
  switch (random_.Below(4)) {
    case 0:
      is_prefix_ = true;
      // Mostly near the end: what is older tends to be synced, where a cut has no effect.
      cut_ = end - std::min(end, random_.Below(uint64_t{2} << random_.Below(8)));
      break;
    case 1:
      eighths_ = 1;
      break;
    case 2:
      eighths_ = 7;
      break;
    default:
      break;
  }
}

bool CrashDice::Keep(uint64_t sequence, bool is_last) {
  switch (kind_) {
    case CrashChoice::Kind::kDropAll:
      return false;
    case CrashChoice::Kind::kKeepAll:
      return true;
    case CrashChoice::Kind::kKeepLast:
      return is_last;
    case CrashChoice::Kind::kRandom:
      break;
  }
  if (is_prefix_ && sequence != cut_) return sequence < cut_;
  return Coin(eighths_);
}

bool CrashDice::KeepPage() {
  if (kind_ == CrashChoice::Kind::kRandom) return Coin(eighths_);
  return kind_ != CrashChoice::Kind::kDropAll;
}

uint64_t CrashDice::Extend(uint64_t from, uint64_t to, uint64_t sequence, bool is_last) {
  if (!Keep(sequence, is_last)) return from;
  if (kind_ != CrashChoice::Kind::kRandom || (is_prefix_ && sequence != cut_)) return to;
  // Write-back moves the length on piece by piece, so it may have stopped at any boundary between.
  const uint64_t first = from / piece_bytes_ + 1;
  const uint64_t boundaries = to / piece_bytes_ + 1 - first;
  if (boundaries == 0 || Coin(4)) return to;
  return std::min(to, (first + random_.Below(boundaries)) * piece_bytes_);
}

}  // namespace cairn::env
