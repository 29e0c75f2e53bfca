#include <string_view>

#include "apps/manual.h"
#include "apps/usage.h"

namespace cairn::apps {
namespace {

// Roff takes a backslash as an escape, a leading dot or quote as a request, and a bare '-' as a
// hyphen.
std::string Escape(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '\\') {
      out += "\\e";
    } else if (letter == '-') {
      out += "\\-";
    } else if ((letter == '.' || letter == '\'') && (out.empty() || out.back() == '\n')) {
      out += "\\&";
      out += letter;
    } else {
      out += letter;
    }
  }
  return out;
}

void AppendOption(const CLI::Option& option, std::string& out) {
  const bool positional = option.get_positional();
  out += ".TP\n\\fB" + Escape(option.get_name(positional, true)) + "\\fR";
  if (!positional && option.get_expected_max() > 0 && option.get_type_size_max() > 0) {
    out += " \\fI" + Escape(option.get_type_name()) + "\\fR";
  }
  out += '\n' + Escape(option.get_description());
  if (!option.get_default_str().empty())
    out += " (default: " + Escape(option.get_default_str()) + ")";
  if (!option.get_envname().empty())
    out += ". Environment: \\fB" + Escape(option.get_envname()) + "\\fR";
  out += ".\n";
}

void AppendCommand(const CLI::App& command, std::string& out) {
  const auto below = command.get_subcommands({});
  if (below.empty()) {
    out += ".SS " + Escape("cairn " + CommandPath(command));
    for (const CLI::Option* option : command.get_options()) {
      if (option->get_positional()) out += " \\fI" + Escape(option->get_name(true)) + "\\fR";
    }
    out += " [options]\n" + Escape(command.get_description()) + ".\n";
    for (const CLI::Option* option : command.get_options()) AppendOption(*option, out);
  }
  for (const CLI::App* sub : below) AppendCommand(*sub, out);
}

}  // namespace

std::string ManPage(const CLI::App& app) {
  std::string out = ".\\\" Made by `cairn docs man`.\n.TH CAIRN 1 \"\" \"cairn " CAIRN_VERSION
                    "\" \"User Commands\"\n.SH NAME\ncairn \\- " +
                    Escape(app.get_description()) +
                    "\n.SH SYNOPSIS\n.B cairn\n\\fICOMMAND\\fR [\\fIoptions\\fR]\n.SH COMMANDS\n";
  for (const CLI::App* command : app.get_subcommands({})) AppendCommand(*command, out);
  out +=
      ".SH EXIT STATUS\n.TP\n.B 0\nDone.\n.TP\n.B 1\nFailed; the message on stderr says what was "
      "wrong and what "
      "to do.\n.TP\n.B 2\nWrong usage.\n.TP\n.B 3\nDenied: the answer of \\fBcairn acl check\\fR.\n"
      ".SH ENVIRONMENT\nOptions that name an environment variable take its value when they are "
      "absent.\n"
      ".SH EXAMPLES\n.nf\ncairn server \\-\\-data\\-dir /var/lib/cairn\ncairn topic create "
      "greetings\n"
      "echo hello | cairn produce greetings\ncairn consume greetings \\-\\-follow\n.fi\n";
  return out;
}

}  // namespace cairn::apps
