#include "security/casbin/pattern.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "base/strings.h"
#include "re2/re2.h"
#include "security/casbin/glob.h"
#include "security/casbin/ip_address.h"
#include "security/casbin/key_pattern.h"
#include "security/casbin/limits.h"

namespace cairn::security::casbin {
namespace {

std::string_view ToStd(const re2::StringPiece& piece) { return {piece.data(), piece.size()}; }

// keyMatch5 asks about the path only.
std::string_view WithoutQuery(Function function, std::string_view text) {
  return function == Function::kKeyMatch5 ? text.substr(0, text.find('?')) : text;
}

// keyMatch4: placeholders of one name stand for the same text.
bool SameNamesSameValues(const std::vector<std::string>& names,
                         const std::vector<std::string_view>& values) {
  for (size_t i = 0; i < names.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (names[i] == names[j] && values[i] != values[j]) return false;
    }
  }
  return true;
}

std::string_view ValueOf(std::string_view name, const std::vector<std::string>& names,
                         const std::vector<std::string_view>& values) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return values[i];
  }
  return {};
}

// A path pattern of plain texts and whole segments: one pass, no regular expression.
class SegmentPattern : public Pattern {
 public:
  SegmentPattern(Function function, KeyPattern key) : function_(function), key_(std::move(key)) {}

  std::optional<bool> Matches(std::string_view text) const override {
    text = WithoutQuery(function_, text);
    if (function_ != Function::kKeyMatch4) return Walk(text, nullptr);
    std::vector<std::string_view> values;
    return Walk(text, &values) && SameNamesSameValues(key_.names, values);
  }

  std::string_view Get(std::string_view text, std::string_view name) const override {
    std::vector<std::string_view> values;
    return Walk(text, &values) ? ValueOf(name, key_.names, values) : std::string_view();
  }

 private:
  bool Walk(std::string_view text, std::vector<std::string_view>* values) const {
    for (size_t i = 0; i < key_.names.size(); ++i) {
      if (!text.starts_with(key_.texts[i])) return false;
      text.remove_prefix(key_.texts[i].size());
      const size_t end = std::min(text.find('/'), text.size());
      if (end == 0) return false;
      if (values != nullptr) values->push_back(text.substr(0, end));
      text.remove_prefix(end);
    }
    const std::string& last = key_.texts.back();
    if (!key_.any_rest) return text == last;
    return text.starts_with(last) && text.find('\n', last.size()) == std::string_view::npos;
  }

  Function function_;
  KeyPattern key_;
};

class RegexPattern : public Pattern {
 public:
  // `names` are those of the first groups, for the functions that ask for values.
  static absl::StatusOr<std::unique_ptr<const Pattern>> Create(Function function,
                                                               std::string_view regex,
                                                               std::vector<std::string> names) {
    auto pattern =
        std::unique_ptr<RegexPattern>(new RegexPattern(function, regex, std::move(names)));
    if (!pattern->regex_.ok()) return absl::InvalidArgumentError(pattern->regex_.error());
    const auto groups = static_cast<size_t>(pattern->regex_.NumberOfCapturingGroups());
    if (function == Function::kKeyMatch4 && groups != pattern->names_.size()) {
      return absl::InvalidArgumentError("keyMatch4 takes no groups of its own");
    }
    return pattern;
  }

  std::optional<bool> Matches(std::string_view text) const override {
    text = WithoutQuery(function_, text);
    if (function_ != Function::kKeyMatch4) return Search(text, nullptr);
    std::vector<std::string_view> values;
    return Search(text, &values) && SameNamesSameValues(names_, values);
  }

  std::string_view Get(std::string_view text, std::string_view name) const override {
    std::vector<std::string_view> values;
    return Search(text, &values) ? ValueOf(name, names_, values) : std::string_view();
  }

  bool is_regex() const override { return true; }

 private:
  RegexPattern(Function function, std::string_view regex, std::vector<std::string> names)
      : function_(function),
        names_(std::move(names)),
        regex_(re2::StringPiece(regex.data(), regex.size()), Options()) {}

  static RE2::Options Options() {
    RE2::Options options;
    options.set_max_mem(kRegexMemoryBytes);
    options.set_log_errors(false);
    return options;
  }

  bool Search(std::string_view text, std::vector<std::string_view>* values) const {
    std::vector<re2::StringPiece> groups(values == nullptr ? 0 : names_.size() + 1);
    if (!regex_.Match({text.data(), text.size()}, 0, text.size(), RE2::UNANCHORED, groups.data(),
                      static_cast<int>(groups.size()))) {
      return false;
    }
    for (size_t i = 1; i < groups.size(); ++i) values->push_back(ToStd(groups[i]));
    return true;
  }

  Function function_;
  std::vector<std::string> names_;
  RE2 regex_;
};

// regexMatch of a text without any special character: it stands somewhere inside.
class SubstringPattern : public Pattern {
 public:
  explicit SubstringPattern(std::string_view text) : text_(text) {}
  std::optional<bool> Matches(std::string_view text) const override {
    return text.find(text_) != std::string_view::npos;
  }

 private:
  std::string text_;
};

class IpPattern : public Pattern {
 public:
  explicit IpPattern(const IpRange& range) : range_(range) {}
  std::optional<bool> Matches(std::string_view text) const override {
    const auto address = ParseIp(text);
    if (!address.has_value()) return std::nullopt;
    return range_.Contains(*address);
  }

 private:
  IpRange range_;
};

}  // namespace

std::string_view Pattern::Get(std::string_view, std::string_view) const { return {}; }

absl::StatusOr<std::unique_ptr<const Pattern>> Pattern::Compile(Function function,
                                                                std::string_view text) {
  if (text.size() > kMaxPatternBytes) {
    return absl::InvalidArgumentError(
        base::StrCat("a pattern is longer than ", kMaxPatternBytes, " bytes"));
  }
  if (function == Function::kIpMatch) {
    const auto range = ParseIpRange(text);
    if (!range.has_value()) {
      return absl::InvalidArgumentError(base::StrCat("'", text, "' is no address and no range"));
    }
    return std::make_unique<IpPattern>(*range);
  }
  if (function == Function::kGlobMatch) {
    CAIRN_ASSIGN_OR_RETURN(const std::string regex, GlobToRegex(text));
    return RegexPattern::Create(function, regex, {});
  }
  if (function == Function::kRegexMatch) {
    if (text.find_first_of(".^$*+?()[]{}|\\") == std::string_view::npos) {
      return std::make_unique<SubstringPattern>(text);
    }
    return RegexPattern::Create(function, text, {});
  }
  KeyPattern key = ParseKeyPattern(function, text);
  if (key.simple) return std::make_unique<SegmentPattern>(function, std::move(key));
  return RegexPattern::Create(function, key.regex, std::move(key.names));
}

}  // namespace cairn::security::casbin
