// Bytes that are probably text, as a field of a JSON object.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::base {

// Appends `"name":"…"` when `bytes` are UTF-8 (RFC 3629), `"name_base64":"…"` (RFC 4648, section 4,
// padded) when they are not, `"name":null` for nullopt. `name` needs no escapes.
void AppendJsonBytes(std::string_view name, const std::optional<std::string_view>& bytes,
                     std::string& out);

// The first `limit` bytes, or up to three fewer: what is UTF-8 is so still.
std::string_view CutText(std::string_view bytes, size_t limit);

}  // namespace cairn::base
