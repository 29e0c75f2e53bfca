#include "consensus/peer_frame.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::consensus {
namespace {

using base::LoadLittleEndian;
using base::StoreLittleEndian;

// Byte positions; docs/formats/peer.md has the same table.
enum : size_t {
  kHeaderCrcAt = 0,  // over [4, 32)
  kControlCrcAt = 4,
  kControlBytesAt = 8,
  kBodyBytesAt = 12,
  kBodyCrcAt = 16,
  kTypeAt = 20,
  kReservedAt = 21,
  kReserved2At = 22,
  kGroupAt = 24,
};
constexpr size_t kCoveredFrom = 4;

bool IsKnown(uint8_t type) {
  return (type >= 1 && type <= 4) || (type >= 16 && type <= 23) || type == 32 || type == 33;
}

}  // namespace

void AppendFrame(FrameType type, GroupId group, std::string_view control, size_t body_bytes,
                 uint32_t body_crc, env::SliceBuffer& to) {
  CAIRN_CHECK(control.size() <= kMaxControlBytes &&
                  kFrameHeaderBytes + control.size() + body_bytes <= kMaxFrameBytes,
              "the peer would refuse the frame and close the connection");
  char* header = to.Extend(kFrameHeaderBytes);
  StoreLittleEndian<uint32_t>(header + kControlCrcAt, base::Crc32c(control));
  StoreLittleEndian<uint32_t>(header + kControlBytesAt, static_cast<uint32_t>(control.size()));
  StoreLittleEndian<uint32_t>(header + kBodyBytesAt, static_cast<uint32_t>(body_bytes));
  StoreLittleEndian<uint32_t>(header + kBodyCrcAt, body_crc);
  StoreLittleEndian<uint8_t>(header + kTypeAt, static_cast<uint8_t>(type));
  StoreLittleEndian<uint8_t>(header + kReservedAt, 0);
  StoreLittleEndian<uint16_t>(header + kReserved2At, 0);
  StoreLittleEndian<uint64_t>(header + kGroupAt, group.value());
  StoreLittleEndian<uint32_t>(
      header + kHeaderCrcAt,
      base::Crc32c(std::string_view(header + kCoveredFrom, kFrameHeaderBytes - kCoveredFrom)));
  to.Append(control);
}

FrameReader::FrameReader(size_t max_frame_bytes)
    : max_frame_bytes_(max_frame_bytes), chunk_(kChunkBytes, '\0') {}

std::span<char> FrameReader::Space() {
  if (large_) {
    if (large_end_ == large_->size()) {
      const size_t total = size_t{header_->control_bytes} + header_->body_bytes;
      large_->resize(std::min(total, large_end_ + kGrowBytes));  // within what was reserved
    }
    return std::span(*large_).subspan(large_end_);
  }
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0 && end_ == chunk_.size()) {
    std::memmove(chunk_.data(), chunk_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return std::span(chunk_).subspan(end_);
}

void FrameReader::Advance(size_t bytes) {
  (large_ ? large_end_ : end_) += bytes;
  CAIRN_CHECK(large_ ? large_end_ <= large_->size() : end_ <= chunk_.size(),
              "no more was read than there was space");
}

absl::StatusOr<std::optional<Frame>> FrameReader::Next() {
  if (!header_) {
    if (end_ - begin_ < kFrameHeaderBytes) return std::nullopt;
    CAIRN_RETURN_IF_ERROR(TakeHeader());
  }
  if (large_) return TakeLarge();
  return TakeSmall();
}

absl::Status FrameReader::TakeHeader() {
  const char* from = chunk_.data() + begin_;
  const uint32_t found =
      base::Crc32c(std::string_view(from + kCoveredFrom, kFrameHeaderBytes - kCoveredFrom));
  if (const auto expected = LoadLittleEndian<uint32_t>(from + kHeaderCrcAt); found != expected) {
    return absl::DataLossError(
        absl::StrFormat("frame header CRC32C: expected %08x, found %08x", expected, found));
  }
  const auto type = LoadLittleEndian<uint8_t>(from + kTypeAt);
  Header header;
  header.type = static_cast<FrameType>(type);
  header.group = GroupId(LoadLittleEndian<uint64_t>(from + kGroupAt));
  header.control_crc = LoadLittleEndian<uint32_t>(from + kControlCrcAt);
  header.control_bytes = LoadLittleEndian<uint32_t>(from + kControlBytesAt);
  header.body_bytes = LoadLittleEndian<uint32_t>(from + kBodyBytesAt);
  header.body_crc = LoadLittleEndian<uint32_t>(from + kBodyCrcAt);
  if (!IsKnown(type) || LoadLittleEndian<uint8_t>(from + kReservedAt) != 0 ||
      LoadLittleEndian<uint16_t>(from + kReserved2At) != 0) {
    return absl::InvalidArgumentError(
        base::StrCat("unknown frame type ", static_cast<int>(type), " or reserved bytes in use"));
  }
  const uint64_t total = uint64_t{header.control_bytes} + header.body_bytes;
  if (header.control_bytes > kMaxControlBytes || kFrameHeaderBytes + total > max_frame_bytes_) {
    return absl::ResourceExhaustedError(
        base::StrCat("frame of type ", static_cast<int>(type), " with ", header.control_bytes,
                     " + ", header.body_bytes, " bytes is over the limit of ", max_frame_bytes_));
  }
  header_ = header;
  begin_ += kFrameHeaderBytes;
  if (total > chunk_.size()) {
    large_ = std::make_shared<std::string>();
    large_->reserve(total);  // costs address space; memory only as the bytes come
    large_->assign(chunk_, begin_, std::min<size_t>(total, end_ - begin_));
    large_end_ = large_->size();
    begin_ += large_end_;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Frame>> FrameReader::TakeSmall() {
  const size_t total = size_t{header_->control_bytes} + header_->body_bytes;
  if (end_ - begin_ < total) {
    if (chunk_.size() - begin_ < total) {  // Space() would never be enough
      std::memmove(chunk_.data(), chunk_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    return std::nullopt;
  }
  const std::string_view bytes = std::string_view(chunk_).substr(begin_, total);
  begin_ += total;
  // A copy, so that a small entry that somebody keeps does not keep the whole chunk.
  auto body = std::make_shared<std::string>(bytes.substr(header_->control_bytes));
  return Finish(bytes.substr(0, header_->control_bytes), std::move(body), 0);
}

absl::StatusOr<std::optional<Frame>> FrameReader::TakeLarge() {
  const size_t total = size_t{header_->control_bytes} + header_->body_bytes;
  if (large_end_ < total) return std::nullopt;
  std::shared_ptr<std::string> buffer = std::move(large_);
  large_ = nullptr;
  const std::string_view control = std::string_view(*buffer).substr(0, header_->control_bytes);
  return Finish(control, std::move(buffer), control.size());
}

absl::StatusOr<Frame> FrameReader::Finish(std::string_view control,
                                          std::shared_ptr<std::string> buffer,
                                          size_t body_position) {
  const Header header = *std::exchange(header_, std::nullopt);
  if (const uint32_t found = base::Crc32c(control); found != header.control_crc) {
    return absl::DataLossError(absl::StrFormat("frame control CRC32C: expected %08x, found %08x",
                                               header.control_crc, found));
  }
  return Frame{.type = header.type,
               .group = header.group,
               .body_crc = header.body_crc,
               .control = control,
               .buffer = std::move(buffer),
               .body_position = body_position};
}

}  // namespace cairn::consensus
