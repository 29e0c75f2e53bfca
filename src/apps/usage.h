// Tells a user what was wrong with a command line.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::apps {

// The words behind "cairn": "produce", "cluster keys list"; "" for the program itself.
std::string CommandPath(const CLI::App& command);

// How many letters have to be inserted, removed or replaced to make `b` of `a` (Levenshtein 1966).
size_t EditDistance(std::string_view a, std::string_view b);

// The candidate that `word` most likely meant, or "" when none is near.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

// "unknown option '--adr'; did you mean '--addr'?" for a command line that `app` could not parse.
std::string ExplainParseError(const CLI::App& app, const CLI::ParseError& error);

}  // namespace cairn::apps
