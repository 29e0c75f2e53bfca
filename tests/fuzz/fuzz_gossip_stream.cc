// What comes by TCP, in pieces: a message or an error, however the stream is cut, and the same one.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "gossip/wire/serf_messages.h"
#include "gossip/wire/stream.h"

namespace cairn::gossip {
namespace {

constexpr size_t kLimitBytes = 1 << 20;

std::optional<StreamMessage> Read(std::string_view bytes, size_t piece) {
  static const Envelope plain;
  StreamReader reader(plain, kLimitBytes);
  while (true) {
    auto message = reader.Next();
    if (!message.ok()) return std::nullopt;
    if (*message) return **std::move(message);
    if (bytes.empty()) return std::nullopt;
    const std::span<char> space = reader.Space();
    CAIRN_CHECK(!space.empty(), "there is always room to go on");
    const size_t size = std::min({space.size(), bytes.size(), piece});
    std::copy_n(bytes.begin(), size, space.begin());
    reader.Advance(size);
    bytes.remove_prefix(size);
  }
}

}  // namespace
}  // namespace cairn::gossip

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn::gossip;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = Read(bytes, bytes.size());
  const auto cut = Read(bytes, size_t{1} + data[0]);
  if (whole && cut) {
    CAIRN_CHECK(*whole == *cut, "a message does not depend on how it was cut");
    if (const auto* state = std::get_if<PushPull>(&*whole)) (void)DecodeSerf(state->user_state);
  }
  return 0;
}
