#include <algorithm>
#include <cctype>
#include <functional>
#include <string_view>
#include <vector>

#include "apps/manual.h"
#include "apps/usage.h"

namespace cairn::apps {
namespace {

void ForEachCommand(const CLI::App& command, const std::function<void(const CLI::App&)>& visit) {
  visit(command);
  for (const CLI::App* sub : command.get_subcommands({})) ForEachCommand(*sub, visit);
}

// Everything that can stand behind the command: its subcommands and long options.
std::vector<std::string> Words(const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::App* sub : command.get_subcommands({})) words.push_back(sub->get_name());
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  return words;
}

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

// For single quotes of a shell; fish and zsh agree with sh here.
std::string Quote(std::string_view text) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'') {
      out += R"('\'')";
    } else {
      out += letter;
    }
  }
  return out + "'";
}

// Sets `path` to the commands among the words before the cursor; the same in bash and zsh.
std::string CasesByPath(const CLI::App& app, std::string_view indent,
                        const std::function<std::string(const CLI::App&)>& action) {
  std::string out;
  ForEachCommand(app, [&](const CLI::App& command) {
    out.append(indent)
        .append(Quote(CommandPath(command)))
        .append(") ")
        .append(action(command))
        .append(" ;;\n");
  });
  return out;
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  std::string commands;
  ForEachCommand(app, [&](const CLI::App& command) {
    if (command.get_parent() != nullptr) commands += Quote(CommandPath(command)) + " ";
  });
  return "# bash completion for cairn; made by `cairn docs completion bash`.\n"
         "_cairn() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} path= word words known=(" +
         commands +
         ")\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    local next=${path:+$path }$word command\n"
         "    for command in \"${known[@]}\"; do [[ $command == \"$next\" ]] && path=$next; done\n"
         "  done\n"
         "  case $path in\n" +
         CasesByPath(
             app, "    ",
             [](const CLI::App& command) { return "words=" + Quote(Join(Words(command))); }) +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "  [[ ${#COMPREPLY[@]} -gt 0 || $current == -* ]] || mapfile -t COMPREPLY < <(compgen -f "
         "-- "
         "\"$current\")\n"
         "}\n"
         "complete -F _cairn cairn\n";
}

std::string ZshCompletion(const CLI::App& app) {
  std::string commands;
  ForEachCommand(app, [&](const CLI::App& command) {
    if (command.get_parent() != nullptr) commands += Quote(CommandPath(command)) + " ";
  });
  return "#compdef cairn\n"
         "# zsh completion for cairn; made by `cairn docs completion zsh`.\n"
         "_cairn() {\n"
         "  local path_so_far= word next\n"
         "  local -a known=(" +
         commands +
         ") choices\n"
         "  for word in \"${words[@]:1:$((CURRENT-2))}\"; do\n"
         "    next=${path_so_far:+$path_so_far }$word\n"
         "    (( ${known[(Ie)$next]} )) && path_so_far=$next\n"
         "  done\n"
         "  case $path_so_far in\n" +
         CasesByPath(
             app, "    ",
             [](const CLI::App& command) { return "choices=(" + Join(Words(command)) + ")"; }) +
         "  esac\n"
         "  compadd -a choices\n"
         "  _files\n"
         "}\n"
         "_cairn \"$@\"\n";
}

std::string FishCompletion(const CLI::App& app) {
  std::string out = "# fish completion for cairn; made by `cairn docs completion fish`.\n";
  ForEachCommand(app, [&](const CLI::App& command) {
    // Seen all words of the path, and none of the commands below.
    std::string condition;
    if (command.get_parent() == nullptr) {
      condition = "__fish_use_subcommand";
    } else {
      std::string path = CommandPath(command);
      std::replace(path.begin(), path.end(), ' ', '\n');
      size_t begin = 0;
      while (begin < path.size()) {
        const size_t end = std::min(path.find('\n', begin), path.size());
        if (!condition.empty()) condition += "; and ";
        condition += "__fish_seen_subcommand_from " + path.substr(begin, end - begin);
        begin = end + 1;
      }
      std::vector<std::string> below;
      for (const CLI::App* sub : command.get_subcommands({})) below.push_back(sub->get_name());
      if (!below.empty()) condition += "; and not __fish_seen_subcommand_from " + Join(below);
    }
    const std::string start = "complete -c cairn -n " + Quote(condition);
    for (const CLI::App* sub : command.get_subcommands({})) {
      out += start + " -f -a " + Quote(sub->get_name()) + " -d " + Quote(sub->get_description()) +
             "\n";
    }
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        out += start + " -l " + Quote(name) + (option->get_expected_max() > 0 ? " -r" : "") +
               " -d " + Quote(option->get_description()) + "\n";
      }
    }
  });
  return out;
}

}  // namespace cairn::apps
