// What a peer may send: the stream is cut into frames, each is decoded or refused, without a crash;
// what is decoded and encoded again is the same.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "consensus/peer_codec.h"
#include "log/entry.h"

namespace cairn::consensus {
namespace {

std::string Join(env::SliceBuffer& buffer) {
  std::string bytes;
  for (const env::Slice& slice : buffer.Take()) bytes += slice.view();
  return bytes;
}

void DecodeOne(Frame frame) {
  const FrameType type = frame.type;
  const GroupId group = frame.group;
  const std::string control(frame.control);
  const std::string body(frame.body());
  if (type == FrameType::kHello) {
    (void)DecodeHello(frame);
  } else if (type == FrameType::kWelcome) {
    (void)DecodeWelcome(frame);
  } else if (type == FrameType::kRefusal) {
    (void)DecodeRefusal(frame);
  } else if (type == FrameType::kPing) {
    (void)DecodePing(frame);
  } else if (type == FrameType::kRequest) {
    (void)DecodeRequest(std::move(frame));
  } else if (type == FrameType::kResponse) {
    (void)DecodeResponse(std::move(frame));
  } else {
    CAIRN_CHECK(IsRaftMessage(type), "the reader lets no other type through");
    const auto message = DecodeMessage(std::move(frame));
    if (!message.ok()) return;
    env::SliceBuffer buffer;
    CAIRN_CHECK(EncodeMessage(group, *message, buffer).ok(), "what came in may go out");
    const std::string again = Join(buffer);
    // Entry headers have reserved bytes and a CRC of their own, which are not compared.
    CAIRN_CHECK(again.size() == kFrameHeaderBytes + control.size() + body.size() &&
                    again.substr(kFrameHeaderBytes + control.size()) == body,
                "decoding loses nothing");
    if (type != FrameType::kAppendEntries) {
      CAIRN_CHECK(again.substr(kFrameHeaderBytes, control.size()) == control,
                  "decoding loses nothing");
    }
  }
}

// Makes the checksums of the frames in `bytes` right, as far as they can be found, so that the
// fuzzer gets behind them.
void Repair(std::string& bytes) {
  for (size_t at = 0; at + kFrameHeaderBytes <= bytes.size();) {
    char* header = bytes.data() + at;
    const auto control_bytes = base::LoadLittleEndian<uint32_t>(header + 8);
    const auto body_bytes = base::LoadLittleEndian<uint32_t>(header + 12);
    const uint64_t end = at + kFrameHeaderBytes + uint64_t{control_bytes} + body_bytes;
    if (end <= bytes.size()) {
      char* control = header + kFrameHeaderBytes;
      if (static_cast<FrameType>(header[20]) == FrameType::kAppendEntries) {
        const size_t entries = control_bytes < 28 ? 0 : (control_bytes - 28) / 80;
        size_t body = kFrameHeaderBytes + control_bytes;
        for (size_t i = 0; i < entries; ++i) {
          char* entry = control + 28 + 80 * i;
          const auto size = base::LoadLittleEndian<uint32_t>(entry + 8);
          if (at + body + size > end) break;
          base::StoreLittleEndian(entry + 12, base::Crc32c({header + body, size}));
          base::StoreLittleEndian(entry + 4, base::Crc32c({entry + 8, 72}));
          body += size;
        }
      } else if (body_bytes > 0) {
        base::StoreLittleEndian(header + 16, base::Crc32c({control + control_bytes, body_bytes}));
      }
      base::StoreLittleEndian(header + 4, base::Crc32c({control, control_bytes}));
    }
    base::StoreLittleEndian(header, base::Crc32c({header + 4, kFrameHeaderBytes - 4}));
    if (end > bytes.size()) break;
    at = end;
  }
}

void Run(std::string_view input) {
  // The first byte: how the stream is cut into reads, and whether its checksums are made right.
  const auto mode = static_cast<uint8_t>(input[0]);
  const size_t piece = mode < 128 ? 1 << 20 : mode - 127;
  std::string bytes(input.substr(1));
  if (mode % 4 != 3) Repair(bytes);
  FrameReader reader(mode % 4 == 2 ? kMaxHandshakeBytes : kMaxFrameBytes);
  std::string_view rest = bytes;
  while (true) {
    while (true) {
      auto frame = reader.Next();
      if (!frame.ok()) return;
      if (!*frame) break;
      DecodeOne(**std::move(frame));
    }
    if (rest.empty()) return;
    const std::span<char> space = reader.Space();
    CAIRN_CHECK(!space.empty(), "there is always room to go on");
    const size_t size = std::min({space.size(), rest.size(), piece});
    std::copy_n(rest.begin(), size, space.begin());
    reader.Advance(size);
    rest.remove_prefix(size);
  }
}

}  // namespace
}  // namespace cairn::consensus

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  cairn::consensus::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
