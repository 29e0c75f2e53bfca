#include "http/query.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::http {
namespace {

// As much of what a client sent as an error repeats.
constexpr size_t kShownBytes = 64;

std::string Shown(std::string_view text) {
  const std::string_view start = text.substr(0, kShownBytes);
  return base::StrCat("\"", absl::CHexEscape(base::AbslView(start)),
                      start.size() < text.size() ? "\"..." : "\"");
}

// -1: it is none.
int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

absl::StatusOr<std::string> Decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return absl::InvalidArgumentError(
            base::StrCat("in the query, ", Shown(text.substr(i, 3)),
                         " is no byte: '%' takes two hexadecimal digits, and \"%25\" is a '%'"));
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<Query> Query::Parse(std::string_view query,
                                   std::span<const std::string_view> known) {
  Query result;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    if (part.empty()) continue;
    const size_t equals = std::min(part.find('='), part.size());
    CAIRN_ASSIGN_OR_RETURN(std::string name, Decode(part.substr(0, equals)));
    CAIRN_ASSIGN_OR_RETURN(std::string value,
                           Decode(part.substr(std::min(part.size(), equals + 1))));
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return absl::InvalidArgumentError(base::StrCat(
          "the query has ", Shown(name), "; there is ",
          absl::StrJoin(known, ", ",
                        [](std::string* out, std::string_view word) { out->append(word); })));
    }
    if (!result.parameters_.emplace(name, std::move(value)).second) {
      return absl::InvalidArgumentError(base::StrCat("the query has ", Shown(name), " twice"));
    }
  }
  return result;
}

const std::string* Query::Find(std::string_view name) const {
  const auto found = parameters_.find(name);
  return found == parameters_.end() ? nullptr : &found->second;
}

absl::StatusOr<int64_t> Query::Number(std::string_view name, int64_t otherwise, int64_t least,
                                      int64_t most) const {
  const std::string* text = Find(name);
  if (text == nullptr) return otherwise;
  int64_t number = 0;
  const char* end = text->data() + text->size();
  const auto [stopped, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc() || stopped != end || text->empty() || number < least || number > most) {
    return absl::InvalidArgumentError(
        base::StrCat(name, " is ", Shown(*text), "; it takes a number from ", least, " to ", most));
  }
  return number;
}

}  // namespace cairn::http
