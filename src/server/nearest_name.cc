#include "server/nearest_name.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/check.h"

namespace cairn::server {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);  // distances of a's prefix so far to each prefix of b
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t k = 1; k <= b.size(); ++k) {
      const size_t replaced = diagonal + (a[i - 1] == b[k - 1] ? 0 : 1);
      diagonal = row[k];
      row[k] = std::min({replaced, row[k] + 1, row[k - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string_view NearestName(std::string_view wrong, std::span<const std::string_view> names) {
  CAIRN_CHECK(!names.empty(), "there is always a key");
  // A long wrong name is cut: the distance costs its length times that of each name.
  wrong = wrong.substr(0, 64);
  return *std::min_element(names.begin(), names.end(), [&](std::string_view a, std::string_view b) {
    return EditDistance(wrong, a) < EditDistance(wrong, b);
  });
}

}  // namespace cairn::server
