#include "security/casbin/policy_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "security/casbin/limits.h"

namespace cairn::security::casbin {
namespace {

// Takes one value off the front of `line`; the comma behind it stays.
absl::StatusOr<std::string> TakeValue(std::string_view& line) {
  line = base::StdView(absl::StripLeadingAsciiWhitespace(base::AbslView(line)));
  if (!line.starts_with('"')) {
    const size_t end = std::min(line.find(','), line.size());
    std::string value(base::Trim(line.substr(0, end)));
    line.remove_prefix(end);
    return value;
  }
  std::string value;
  for (size_t at = 1; at < line.size(); ++at) {
    if (line[at] != '"') {
      value += line[at];
    } else if (at + 1 < line.size() && line[at + 1] == '"') {
      value += line[at++];
    } else {
      const std::string_view rest = line.substr(at + 1);
      const size_t end = std::min(rest.find(','), rest.size());
      // `"alice" == r.sub`: the quotes are part of a rule.
      if (!base::Trim(rest.substr(0, end)).empty()) {
        value = base::StrCat("\"", value, "\"", rest.substr(0, end));
        absl::StripTrailingAsciiWhitespace(&value);
      }
      line = rest.substr(end);
      return value;
    }
  }
  return absl::InvalidArgumentError("a quote is not closed");
}

}  // namespace

absl::StatusOr<PolicyRow> ReadPolicyLine(std::string_view line) {
  PolicyRow row;
  if (line.size() > kMaxLineBytes) {
    return absl::InvalidArgumentError(base::StrCat("longer than ", kMaxLineBytes, " bytes"));
  }
  line = base::Trim(line);
  if (line.empty() || line.front() == '#') return row;
  std::string joined;
  int open = 0;
  for (bool first = true;; first = false) {
    if (!first) line.remove_prefix(1);
    CAIRN_ASSIGN_OR_RETURN(const std::string value, TakeValue(line));
    for (const char c : value) open += c == '(' ? 1 : (c == ')' ? -1 : 0);
    if (!joined.empty()) joined += ',';
    joined += value;
    if (open == 0) row.values.push_back(std::exchange(joined, {}));
    if (line.empty()) break;
  }
  if (open != 0) return absl::InvalidArgumentError("parentheses are not closed");
  return row;
}

}  // namespace cairn::security::casbin
