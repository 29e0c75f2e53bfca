// Frames: what the stream between two nodes consists of. docs/formats/peer.md has the bytes.
//
// frame = header(32) control body. The header's CRC covers the header, and through it the CRC of
// the control section; the body is covered by what the control section says of it (peer_codec.h),
// so that an entry's body is never summed twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "env/slice.h"

namespace cairn::consensus {

// What the port multiplexer knows a peer by; sent once, in front of the first frame.
inline constexpr char kPeerFirstByte = 0x01;

enum class FrameType : uint8_t {
  // handshake
  kHello = 1,
  kWelcome = 2,
  kRefusal = 3,
  // afterwards
  kPing = 4,
  kRequestVote = 16,
  kRequestVoteResult = 17,
  kAppendEntries = 18,
  kAppendEntriesResult = 19,
  kInstallSnapshot = 20,
  kTimeoutNow = 21,
  kProbe = 22,
  kProbeResult = 23,
  kRequest = 32,
  kResponse = 33,
};

inline constexpr size_t kFrameHeaderBytes = 32;
// One entry of the largest size, with room for what goes with it.
inline constexpr size_t kMaxFrameBytes = 72u << 20;
// The control section: 8192 entry headers take 640 KiB.
inline constexpr size_t kMaxControlBytes = 1u << 20;
// A frame of the handshake: whoever has not shown what it is gets no more memory than this.
inline constexpr size_t kMaxHandshakeBytes = 4096;

struct Frame {
  FrameType type = FrameType::kPing;
  GroupId group;
  uint32_t body_crc = 0;
  std::string_view control;  // valid until the reader's next call
  // Shared with the entries that are views into it. Not null; may hold other bytes before the body,
  // none behind it.
  std::shared_ptr<std::string> buffer;
  size_t body_position = 0;

  std::string_view body() const { return std::string_view(*buffer).substr(body_position); }
};

// Appends the header and control section of a frame whose body of `body_bytes` the caller appends
// next. `body_crc` is 0 where the control section covers the body. The sizes are within the limits.
void AppendFrame(FrameType type, GroupId group, std::string_view control, size_t body_bytes,
                 uint32_t body_crc, env::SliceBuffer& to);

// Cuts a stream into frames. Feed it: read into Space(), say how much with Advance(), take frames
// with Next() until there is none. Not thread-safe.
//
// Memory: one chunk, and the bytes of a large frame that have really come, however long it claims
// to be. Bodies of large frames are read straight into the buffer that their entries share.
class FrameReader {
 public:
  // What small frames are read in: some hundred messages per system call.
  static constexpr size_t kChunkBytes = 32 << 10;
  // How far a large frame's buffer runs ahead of what has come.
  static constexpr size_t kGrowBytes = 1 << 20;

  // Frames over `max_frame_bytes` are refused.
  explicit FrameReader(size_t max_frame_bytes);

  void set_max_frame_bytes(size_t bytes) { max_frame_bytes_ = bytes; }

  // Where the next bytes go. Not empty, valid until the next call. All frames have been taken.
  std::span<char> Space();
  void Advance(size_t bytes);

  // The next frame, nullopt when it has not come yet. Errors, after which the stream is of no use:
  // DATA_LOSS for a CRC that does not hold, RESOURCE_EXHAUSTED for a frame over the limit,
  // INVALID_ARGUMENT for a header that no version writes.
  absl::StatusOr<std::optional<Frame>> Next();

  // Whether the stream may end here.
  bool at_frame_end() const { return begin_ == end_ && !header_; }

 private:
  struct Header {
    FrameType type;
    GroupId group;
    uint32_t control_crc;
    uint32_t control_bytes;
    uint32_t body_bytes;
    uint32_t body_crc;
  };
  absl::Status TakeHeader();
  absl::StatusOr<std::optional<Frame>> TakeSmall();
  absl::StatusOr<std::optional<Frame>> TakeLarge();
  absl::StatusOr<Frame> Finish(std::string_view control, std::shared_ptr<std::string> buffer,
                               size_t body_position);

  size_t max_frame_bytes_;
  std::string chunk_;  // [begin_, end_) has been read and not taken
  size_t begin_ = 0;
  size_t end_ = 0;
  std::optional<Header> header_;        // of the frame that is being read
  std::shared_ptr<std::string> large_;  // its control section and body, if it exceeds the chunk
  size_t large_end_ = 0;                // read so far; what large_ has beyond is space
};

}  // namespace cairn::consensus
