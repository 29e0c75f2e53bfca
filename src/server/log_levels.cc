#include "server/log_levels.h"

#include <optional>
#include <span>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::server {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, kLogModules> kModuleNames = {"server", "rpc",      "cluster",
                                                                    "gossip", "security", "log"};

absl::StatusOr<size_t> IndexOf(std::string_view name, std::span<const std::string_view> names,
                               std::string_view what) {
  std::string known;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return i;
    known += base::StrCat(i == 0 ? "" : i + 1 == names.size() ? " or " : ", ", names[i]);
  }
  return absl::InvalidArgumentError(base::StrCat("\"", name, "\" is not ", what, ": ", known));
}

absl::StatusOr<LogLevel> ParseLevel(std::string_view name) {
  CAIRN_ASSIGN_OR_RETURN(const size_t index, IndexOf(name, kLevelNames, "a level"));
  return static_cast<LogLevel>(index);
}

}  // namespace

std::string_view ToString(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }
std::string_view ToString(LogModule module) { return kModuleNames[static_cast<size_t>(module)]; }

absl::StatusOr<LogLevels> LogLevels::Parse(std::string_view text) {
  std::optional<LogLevel> everywhere;
  std::array<std::optional<LogLevel>, kLogModules> own;
  for (const absl::string_view part : absl::StrSplit(base::AbslView(text), ',')) {
    const std::string_view one = base::StdView(absl::StripAsciiWhitespace(part));
    const size_t equals = one.find('=');
    if (equals == std::string_view::npos) {
      if (everywhere) {
        return absl::InvalidArgumentError(base::StrCat(
            "\"", one, "\" is a second level for all modules; MODULE=", one, " would be for one"));
      }
      CAIRN_ASSIGN_OR_RETURN(everywhere, ParseLevel(one));
      continue;
    }
    CAIRN_ASSIGN_OR_RETURN(const size_t module,
                           IndexOf(one.substr(0, equals), kModuleNames, "a module"));
    CAIRN_ASSIGN_OR_RETURN(own[module], ParseLevel(one.substr(equals + 1)));
  }
  LogLevels levels(everywhere.value_or(LogLevel::kInfo));
  for (size_t i = 0; i < kLogModules; ++i) {
    if (own[i]) levels.levels_[i] = *own[i];
  }
  return levels;
}

std::string LogLevels::Text() const {
  std::string text(ToString(everywhere_));
  for (size_t i = 0; i < kLogModules; ++i) {
    if (levels_[i] != everywhere_) {
      text += base::StrCat(",", kModuleNames[i], "=", ToString(levels_[i]));
    }
  }
  return text;
}

}  // namespace cairn::server
