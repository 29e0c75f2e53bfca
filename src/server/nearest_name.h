// "Did you mean": the known name nearest to a wrong one.
#pragma once

#include <span>
#include <string_view>

namespace cairn::server {

// Insertions, deletions and replacements of one byte that turn `a` into `b` (Levenshtein 1966).
// O(|a| |b|).
size_t EditDistance(std::string_view a, std::string_view b);

// The name of `names` (not empty) with the least distance to `wrong`; the first of several.
std::string_view NearestName(std::string_view wrong, std::span<const std::string_view> names);

}  // namespace cairn::server
