#include "security/casbin/model_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "security/casbin/limits.h"
#include "security/casbin/source_error.h"

namespace cairn::security::casbin {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  absl::Status Line(std::string_view text, int number) {
    std::string_view line = base::Trim(text.substr(0, text.find_first_of("#;")));
    if (line.empty()) return absl::OkStatus();
    if (line.front() == '[' && line.back() == ']') {
      CAIRN_RETURN_IF_ERROR(Finish());
      return Section(line.substr(1, line.size() - 2), number);
    }
    const bool goes_on = line.back() == '\\';
    if (goes_on) line = base::Trim(line.substr(0, line.size() - 1));
    if (pending_.empty()) {
      pending_line_ = number;
    } else {
      pending_ += ' ';
    }
    pending_ += line;
    if (pending_.size() > kMaxLineBytes) {
      return SourceError(file_, number, base::StrCat("longer than ", kMaxLineBytes, " bytes"));
    }
    return goes_on ? absl::OkStatus() : Finish();
  }

  // Ends the definition that is being read, if there is one.
  absl::Status Finish() {
    if (pending_.empty()) return absl::OkStatus();
    const std::string text = std::exchange(pending_, {});
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return SourceError(file_, pending_line_, base::StrCat("no 'key = value': ", text));
    }
    if (section_.empty()) return SourceError(file_, pending_line_, "stands before any [section]");
    Definition definition{
        .section = section_,
        .key = std::string(base::Trim(std::string_view(text).substr(0, equals))),
        .value = std::string(base::Trim(std::string_view(text).substr(equals + 1))),
        .line = pending_line_};
    if (definition.key.empty()) return SourceError(file_, pending_line_, "no key before '='");
    if (definition.value.empty()) return SourceError(file_, pending_line_, "no value behind '='");
    for (const Definition& other : definitions_) {
      if (other.section == section_ && other.key == definition.key) {
        return SourceError(
            file_, pending_line_,
            base::StrCat("'", definition.key, "' is already defined in line ", other.line));
      }
    }
    definitions_.push_back(std::move(definition));
    return absl::OkStatus();
  }

  std::vector<Definition> Take() { return std::move(definitions_); }

 private:
  absl::Status Section(std::string_view name, int number) {
    section_ = name;
    if (section_.empty()) return SourceError(file_, number, "a section without a name");
    if (std::find(sections_.begin(), sections_.end(), section_) != sections_.end()) {
      return SourceError(file_, number, base::StrCat("section [", section_, "] comes twice"));
    }
    sections_.push_back(section_);
    return absl::OkStatus();
  }

  std::string_view file_;
  std::string section_;
  std::string pending_;
  int pending_line_ = 0;
  std::vector<std::string> sections_;
  std::vector<Definition> definitions_;
};

}  // namespace

absl::StatusOr<std::vector<Definition>> ReadModelFile(std::string_view text,
                                                      std::string_view file) {
  if (text.size() > kMaxModelBytes) {
    return SourceError(file, 1, base::StrCat("the file is longer than ", kMaxModelBytes, " bytes"));
  }
  Reader reader(file);
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    CAIRN_RETURN_IF_ERROR(reader.Line(text.substr(0, end), number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  CAIRN_RETURN_IF_ERROR(reader.Finish());
  return reader.Take();
}

}  // namespace cairn::security::casbin
