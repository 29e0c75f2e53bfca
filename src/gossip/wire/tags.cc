#include "gossip/wire/tags.h"

#include "base/status_macros.h"
#include "base/strings.h"
#include "gossip/wire/limits.h"
#include "gossip/wire/message_codec.h"
#include "gossip/wire/msgpack.h"

namespace cairn::gossip {
namespace {

constexpr char kMark = static_cast<char>(0xff);

absl::Status CheckTags(const Tags& tags) {
  for (const auto& [name, value] : tags) {
    // Tags end up in logs and terminals.
    if (HasControlCharacters(name)) {
      return absl::InvalidArgumentError("a tag's name has control characters");
    }
    if (HasControlCharacters(value)) {
      return absl::InvalidArgumentError(
          base::StrCat("the value of tag \"", name, "\" has control characters"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> EncodeTags(const Tags& tags) {
  CAIRN_RETURN_IF_ERROR(CheckTags(tags));
  MsgpackWriter writer;
  writer.Map(static_cast<uint32_t>(tags.size()));
  for (const auto& [name, value] : tags) writer.Raw(name).Raw(value);
  std::string meta = kMark + writer.Take();
  if (meta.size() > kMaxMetaBytes) {
    return absl::InvalidArgumentError(
        base::StrCat("the tags take ", meta.size(), " bytes; the limit is ", kMaxMetaBytes));
  }
  return meta;
}

absl::StatusOr<Tags> DecodeTags(std::string_view meta) {
  Tags tags;
  if (meta.empty()) return tags;
  if (meta[0] != kMark) {
    tags["role"] = meta;
  } else {
    MsgpackReader reader(meta.substr(1));
    uint32_t count = 0;
    if (reader.TakeMap(count)) {
      for (; count > 0; --count) {
        std::string name;
        std::string value;
        if (!reader.Take(name) || !reader.Take(value)) break;
        tags[std::move(name)] = std::move(value);
      }
    }
    CAIRN_RETURN_IF_ERROR(reader.status());
  }
  CAIRN_RETURN_IF_ERROR(CheckTags(tags));
  return tags;
}

}  // namespace cairn::gossip
