#include "gossip/wire/envelope.h"

#include "base/status_macros.h"
#include "base/strings.h"
#include "gossip/wire/lzw.h"
#include "gossip/wire/messages.h"
#include "gossip/wire/msgpack.h"
#include "gossip/wire/push_pull.h"

namespace cairn::gossip {
namespace {

constexpr uint8_t kAlgorithmLzw = 0;

}  // namespace

std::string LabelHeader(std::string_view label) {
  std::string header;
  if (label.empty()) return header;
  header.push_back(static_cast<char>(MessageType::kLabel));
  header.push_back(static_cast<char>(label.size()));
  return header.append(label);
}

absl::StatusOr<std::string_view> TakeLabel(std::string_view bytes, std::string_view label) {
  std::string_view found;
  if (!bytes.empty() && bytes[0] == static_cast<char>(MessageType::kLabel)) {
    const size_t size = bytes.size() < 2 ? 0 : static_cast<uint8_t>(bytes[1]);
    if (bytes.size() < 2 + size) return absl::OutOfRangeError("the label is cut short");
    if (bytes.size() >= 2 && size == 0) return absl::InvalidArgumentError("an empty label");
    found = bytes.substr(2, size);
    bytes.remove_prefix(2 + size);
  }
  if (found != label) {
    return absl::PermissionDeniedError(found.empty()   ? "without the cluster's label"
                                       : label.empty() ? "with a label, and this cluster has none"
                                                       : "with another cluster's label");
  }
  return bytes;
}

std::string CompressMessage(std::string_view message) {
  MsgpackWriter writer;
  writer.Map(2).Raw("Algo").Uint(kAlgorithmLzw).Raw("Buf").Raw(LzwCompress(message));
  return static_cast<char>(MessageType::kCompressed) + writer.bytes();
}

absl::StatusOr<std::string> ExpandMessage(std::string_view body, size_t limit_bytes) {
  MsgpackReader reader(body);
  uint8_t algorithm = kAlgorithmLzw;
  std::string_view buffer;
  reader.TakeStruct([&](std::string_view name) {
    if (name == "Algo") return reader.Take(algorithm);
    if (name == "Buf") return reader.Take(buffer);
    return reader.Skip();
  });
  CAIRN_RETURN_IF_ERROR(CheckStructure(reader));
  if (algorithm != kAlgorithmLzw) {
    return absl::InvalidArgumentError(
        base::StrCat("compression algorithm ", algorithm, " is unknown"));
  }
  return LzwExpand(buffer, limit_bytes);
}

}  // namespace cairn::gossip
