#include "apps/usage.h"

#include <algorithm>
#include <numeric>

namespace cairn::apps {
namespace {

// The command that was being parsed when it went wrong: the innermost one that was named.
const CLI::App& Innermost(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : "; did you mean '" + nearest + "'?";
}

}  // namespace

std::string CommandPath(const CLI::App& command) {
  if (command.get_parent() == nullptr) return "";
  const std::string above = CommandPath(*command.get_parent());
  return above.empty() ? command.get_name() : above + " " + command.get_name();
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string ExplainParseError(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = Innermost(app);
  std::string message = error.what();
  for (const std::string& rest : app.remaining(true)) {
    if (rest.size() > 1 && rest[0] == '-') {
      const std::string name = rest.substr(0, rest.find('='));
      message = "unknown option '" + name + "'" + DidYouMean(name, OptionNames(command));
    } else if (!CommandNames(command).empty()) {
      message = "unknown command '" + rest + "'" + DidYouMean(rest, CommandNames(command));
    } else {
      message = "unexpected argument '" + rest + "'";
    }
    break;
  }
  const std::string path = CommandPath(command);
  const std::string name = app.get_name() + (path.empty() ? "" : " " + path);
  return name + ": " + message + "\nTry: " + name + " --help";
}

}  // namespace cairn::apps
