// The man page and the shell completions, made from the tree of commands: they cannot disagree with
// it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace cairn::apps {

// cairn(1) in roff (man-pages(7)).
std::string ManPage(const CLI::App& app);

std::string BashCompletion(const CLI::App& app);
std::string ZshCompletion(const CLI::App& app);
std::string FishCompletion(const CLI::App& app);

}  // namespace cairn::apps
