#include "apps/record_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "apps/interrupt.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::apps {
namespace {

constexpr size_t kReadBytes = 256 << 10;

}  // namespace

RecordReader::RecordReader(int fd) : fd_(fd) { buffer_.resize(2 * kReadBytes); }

absl::StatusOr<bool> RecordReader::Fill() {
  if (at_end_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < kReadBytes) buffer_.resize(buffer_.size() * 2);
  while (true) {
    if (!WaitReadable(fd_)) {
      at_end_ = true;
      return false;
    }
    const ssize_t got = read(fd_, buffer_.data() + end_, kReadBytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, "cannot read the input");
    if (got == 0) {
      at_end_ = true;
      return false;
    }
    end_ += static_cast<size_t>(got);
    return true;
  }
}

absl::StatusOr<bool> RecordReader::NextLine(std::string_view& line) {
  size_t searched = 0;
  while (true) {
    const char* from = buffer_.data() + begin_;
    const void* newline = std::memchr(from + searched, '\n', end_ - begin_ - searched);
    if (newline != nullptr) {
      line = std::string_view(from, static_cast<size_t>(static_cast<const char*>(newline) - from));
      begin_ += line.size() + 1;
      return true;
    }
    searched = end_ - begin_;
    if (searched > kMaxLineBytes) {
      return absl::ResourceExhaustedError(
          base::StrCat("a line is longer than ", kMaxLineBytes,
                       " bytes; is this a binary file? Use --raw BYTES"));
    }
    CAIRN_ASSIGN_OR_RETURN(const bool more, Fill());
    if (more) continue;
    if (Interrupted() || begin_ == end_) return false;
    line = std::string_view(buffer_.data() + begin_, end_ - begin_);
    begin_ = end_;
    return true;
  }
}

absl::StatusOr<bool> RecordReader::NextBlock(size_t size, std::string_view& block) {
  while (end_ - begin_ < size) {
    CAIRN_ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) break;
  }
  const size_t take = std::min(size, end_ - begin_);
  if (take == 0 || Interrupted()) return false;
  block = std::string_view(buffer_.data() + begin_, take);
  begin_ += take;
  return true;
}

}  // namespace cairn::apps
