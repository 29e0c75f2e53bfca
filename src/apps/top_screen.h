// How a ClusterView looks in a terminal, or on paper.
//
// What nodes and topics are called, and what errors say, comes from elsewhere: whatever is not
// plain ASCII is shown as '?', so that nothing of it reaches the terminal as a command.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "apps/cluster_view.h"

namespace cairn::apps {

struct ScreenOptions {
  size_t width = 120;  // columns
  size_t height = 0;   // lines; 0: as many as there is to say
  bool color = false;
  SortKey sort = SortKey::kName;  // named below; the topics are sorted by whoever calls
  // Lines of the tables that are above the window; more than there are count as all but the last
  // window.
  size_t scroll = 0;
  bool keys = false;       // say below what the keys do
  std::string error = {};  // of the last attempt to look, which failed; the view is older
};

struct Screen {
  std::vector<std::string> lines;  // without newlines
  size_t max_scroll = 0;
};

// Never wider than `width`, nor more than `height` lines (4 at least).
Screen Draw(const ClusterView& view, const ScreenOptions& options);

// `text` in plain ASCII, cut to `width` letters with a '~' at the end when it is longer.
std::string PlainText(std::string_view text, size_t width);

}  // namespace cairn::apps
