// Splits a file or stdin into records: lines, or blocks of a fixed size.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cairn::apps {

// A line without an end would otherwise fill the memory. No topic takes a record of this size.
inline constexpr size_t kMaxLineBytes = 64 << 20;

// Reads ahead in large pieces. Thread-compatible; does not own the descriptor.
class RecordReader {
 public:
  explicit RecordReader(int fd);

  // The next line without its newline; the last one may lack it. False at the end, or after an
  // interrupt. The view lives until the next call. Errors: of read; RESOURCE_EXHAUSTED for a line
  // over kMaxLineBytes.
  absl::StatusOr<bool> NextLine(std::string_view& line);

  // The next `size` bytes, fewer only at the end.
  absl::StatusOr<bool> NextBlock(size_t size, std::string_view& block);

 private:
  // Reads more behind what is there. False at the end.
  absl::StatusOr<bool> Fill();

  const int fd_;
  std::string buffer_;
  size_t begin_ = 0;  // what was not returned yet is [begin_, end_) of buffer_
  size_t end_ = 0;
  bool at_end_ = false;
};

}  // namespace cairn::apps
