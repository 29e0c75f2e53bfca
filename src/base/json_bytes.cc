#include "base/json_bytes.h"

#include "absl/strings/escaping.h"
#include "base/strings.h"

namespace cairn::base {
namespace {

// Length of the UTF-8 sequence at the start of `text` (RFC 3629, section 4), or 0 when there is
// none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool out_of_range =
      (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
  return overlong || out_of_range ? 0 : length;
}

void AppendEscaped(unsigned char byte, std::string& out) {
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    default: {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

// Appends `bytes` as a JSON string without quotes. False, with `out` as it was, when they are not
// UTF-8.
bool AppendUtf8(std::string_view bytes, std::string& out) {
  const size_t before = out.size();
  size_t run = 0;  // start of what can be copied as it is
  for (size_t i = 0; i < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
      ++i;
      continue;
    }
    const size_t length = Utf8Length(bytes.substr(i));
    if (length == 0) {
      out.resize(before);
      return false;
    }
    if (length == 1) {
      out.append(bytes.substr(run, i - run));
      if (byte == 0x7f) {
        out += static_cast<char>(byte);
      } else {
        AppendEscaped(byte, out);
      }
      run = i + 1;
    }
    i += length;
  }
  out.append(bytes.substr(run));
  return true;
}

}  // namespace

void AppendJsonBytes(std::string_view name, const std::optional<std::string_view>& bytes,
                     std::string& out) {
  const size_t before = out.size();
  out.append("\"").append(name).append("\":");
  if (!bytes) {
    out += "null";
    return;
  }
  out += '"';
  if (!AppendUtf8(*bytes, out)) {
    out.resize(before);
    out.append("\"").append(name).append("_base64\":\"");
    out += absl::Base64Escape(AbslView(*bytes));
  }
  out += '"';
}

std::string_view CutText(std::string_view bytes, size_t limit) {
  if (bytes.size() <= limit) return bytes;
  // Back to the start of a sequence, which is three bytes away at most.
  for (size_t end = limit; end + 4 > limit && end > 0; --end) {
    if ((static_cast<unsigned char>(bytes[end]) & 0xc0) != 0x80) return bytes.substr(0, end);
  }
  return bytes.substr(0, limit);
}

}  // namespace cairn::base
