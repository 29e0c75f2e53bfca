// Serf's messages and the MessagePack below them: decoded or refused; what is decoded and encoded
// again is the same.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "gossip/wire/msgpack.h"
#include "gossip/wire/serf_messages.h"
#include "gossip/wire/tags.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn::gossip;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  MsgpackReader reader(bytes);
  CAIRN_CHECK(reader.Skip() != reader.failed(), "it goes well or says why");
  if (const auto tags = DecodeTags(bytes); tags.ok()) (void)EncodeTags(*tags);
  const auto message = DecodeSerf(bytes);
  if (!message.ok()) return 0;
  const auto encode = [](const auto& m) { return Encode(m); };
  const std::string once = std::visit(encode, *message);
  const auto again = DecodeSerf(once);
  CAIRN_CHECK(again.ok(), "what came in may go out");
  CAIRN_CHECK(std::visit(encode, *again) == once, "decoding loses nothing");
  return 0;
}
