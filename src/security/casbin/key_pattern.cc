#include "security/casbin/key_pattern.h"

#include <algorithm>

#include "absl/strings/str_replace.h"
#include "base/strings.h"

namespace cairn::security::casbin {
namespace {

// Where the placeholder that begins at `from` ends, or `from` when none begins there.
size_t PlaceholderEnd(std::string_view text, size_t from, bool colons) {
  if (colons) {
    if (text[from] != ':') return from;
    const size_t end = std::min(text.find('/', from), text.size());
    return end == from + 1 ? from : end;
  }
  if (text[from] != '{') return from;
  const size_t end = text.find('}', from + 2);
  return end == std::string_view::npos || text.substr(from, end - from).find('/') != text.npos
             ? from
             : end + 1;
}

bool IsSimple(const KeyPattern& pattern, bool any_rest) {
  for (size_t i = 0; i < pattern.texts.size(); ++i) {
    std::string_view text = pattern.texts[i];
    const bool first = i == 0;
    const bool last = i + 1 == pattern.texts.size();
    if (last && any_rest) text.remove_suffix(2);
    if (text.find_first_of(".^$*+?()[]{}|\\") != text.npos) return false;
    if (!first && !text.empty() && text.front() != '/') return false;
    if (!last && !text.empty() && text.back() != '/') return false;
    if (!first && !last && text.empty()) return false;
    if (first && !last && text.empty() && pattern.names.size() > 1 && pattern.texts[1].empty()) {
      return false;
    }
  }
  return true;
}

}  // namespace

KeyPattern ParseKeyPattern(Function function, std::string_view text) {
  const bool colons = function == Function::kKeyMatch2 || function == Function::kKeyGet2;
  const bool groups = function == Function::kKeyMatch4 || function == Function::kKeyGet2 ||
                      function == Function::kKeyGet3;
  KeyPattern pattern;
  const std::string source = function == Function::kKeyMatch2 && text == "*"
                                 ? "(.*)"
                                 : absl::StrReplaceAll(base::AbslView(text), {{"/*", "/.*"}});
  std::string before;
  pattern.regex = "^";
  for (size_t at = 0; at < source.size();) {
    const size_t end = PlaceholderEnd(source, at, colons);
    if (end == at) {
      before += source[at];
      pattern.regex += source[at++];
      continue;
    }
    pattern.names.push_back(source.substr(at + 1, end - at - (colons ? 1 : 2)));
    pattern.texts.push_back(before);
    before.clear();
    pattern.regex += groups ? "([^/]+)" : "[^/]+";
    at = end;
  }
  pattern.texts.push_back(before);
  pattern.regex += "$";
  pattern.any_rest = before.ends_with("/.*");
  pattern.simple = IsSimple(pattern, pattern.any_rest);
  if (pattern.simple && pattern.any_rest) {
    pattern.texts.back().resize(pattern.texts.back().size() - 2);
  }
  return pattern;
}

}  // namespace cairn::security::casbin
