#include "apps/top_screen.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "apps/report.h"
#include "base/strings.h"

namespace cairn::apps {
namespace {

// Columns of a name keep at least this much when there is little room.
constexpr size_t kMinNameWidth = 16;
constexpr size_t kMaxNameWidth = 40;
// Lines that stand still: the three of the header and the empty one below them.
constexpr size_t kMinHeight = 4;
// More nodes than these do not fit into a cell.
constexpr size_t kMaxBalanceNodes = 5;

enum class Tone { kPlain, kTitle, kGood, kWarn, kBad };

std::string Colored(std::string text, Tone tone, bool color) {
  if (!color || tone == Tone::kPlain) return text;
  // Select Graphic Rendition (ECMA-48): bold, green, yellow, red; 0 ends it.
  constexpr std::string_view kCodes[] = {"0", "1", "32", "33", "31"};
  return base::StrCat("\x1b[", kCodes[static_cast<size_t>(tone)], "m", text, "\x1b[0m");
}

struct Cell {
  std::string text;
  Tone tone = Tone::kPlain;
};

struct Column {
  std::string_view title;
  bool right = true;
  int importance = 0;  // the least important go first when there is little room
};

struct Row {
  std::vector<Cell> cells;
  std::string rest;  // instead of the columns behind the cells
};

size_t WidthOf(const std::vector<size_t>& widths, const std::vector<bool>& shown) {
  size_t width = 0;
  for (size_t i = 0; i < widths.size(); ++i) {
    if (shown[i]) width += widths[i] + (width == 0 ? 0 : 2);
  }
  return width;
}

// A table in at most `width` columns. The column at `name` is the one that is cut.
class Table {
 public:
  Table(std::vector<Column> columns, size_t name)
      : columns_(std::move(columns)), name_(name), shown_(columns_.size(), true) {}

  void Add(Row row) { rows_.push_back(std::move(row)); }

  std::vector<std::string> Lines(size_t width, bool color) {
    Arrange(width);
    std::vector<std::string> lines;
    Row titles;
    for (const Column& column : columns_) {
      titles.cells.push_back({std::string(column.title), Tone::kTitle});
    }
    lines.push_back(Line(titles, width, color));
    for (const Row& row : rows_) lines.push_back(Line(row, width, color));
    return lines;
  }

 private:
  void Arrange(size_t width) {
    widths_.clear();
    for (const Column& column : columns_) widths_.push_back(column.title.size());
    for (const Row& row : rows_) {
      for (size_t i = 0; i < row.cells.size(); ++i) {
        widths_[i] = std::max(widths_[i], row.cells[i].text.size());
      }
    }
    const size_t full = std::min(widths_[name_], kMaxNameWidth);
    widths_[name_] = std::min(full, kMinNameWidth);
    while (WidthOf(widths_, shown_) > width && DropOne()) {
    }
    const size_t used = WidthOf(widths_, shown_);
    if (used < width) widths_[name_] = std::min(full, widths_[name_] + width - used);
  }

  bool DropOne() {
    size_t least = columns_.size();
    size_t left = 0;
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (!shown_[i]) continue;
      ++left;
      if (i == name_) continue;
      if (least == columns_.size() || columns_[i].importance <= columns_[least].importance) {
        least = i;
      }
    }
    if (left <= 1 || least == columns_.size()) return false;
    shown_[least] = false;
    return true;
  }

  std::string Line(const Row& row, size_t width, bool color) const {
    std::string line;
    size_t used = 0;
    for (size_t i = 0; i < row.cells.size(); ++i) {
      if (!shown_[i]) continue;
      const std::string text = PlainText(row.cells[i].text, widths_[i]);
      const std::string pad(widths_[i] - text.size(), ' ');
      const bool last = i + 1 == row.cells.size() && row.rest.empty();
      if (used > 0) line += "  ";
      used += widths_[i] + (used > 0 ? 2 : 0);
      if (columns_[i].right) line += pad;
      line += Colored(text, row.cells[i].tone, color);
      if (!columns_[i].right && !last) line += pad;
    }
    if (!row.rest.empty() && used + 2 < width) {
      line += "  " + Colored(PlainText(row.rest, width - used - 2), Tone::kBad, color);
    }
    return line;
  }

  const std::vector<Column> columns_;
  const size_t name_;
  std::vector<bool> shown_;
  std::vector<size_t> widths_;
  std::vector<Row> rows_;
};

std::string Or(const std::optional<double>& value, std::string (*show)(double)) {
  return value ? show(*value) : "-";
}

std::string Whole(double value) { return WithCommas(static_cast<uint64_t>(std::max(0.0, value))); }

std::string Percent(double value) {
  return base::StrCat(static_cast<int64_t>(std::lround(value)), "%");
}

Tone ToneOf(const NodeRow& node) {
  if (node.state == "active") return Tone::kGood;
  return node.state == "draining" ? Tone::kWarn : Tone::kBad;
}

std::vector<std::string> NodeLines(const ClusterView& view, const ScreenOptions& options) {
  Table table({{"NODE", true, 99},
               {"NAME", false, 98},
               {"STATE", false, 97},
               {"LEAD", true, 80},
               {"FOLLOW", true, 40},
               {"CPU", true, 75},
               {"MEM", true, 70},
               {"FSYNC99", true, 65},
               {"PROD50", true, 30},
               {"PROD99", true, 60},
               {"IN/s", true, 90},
               {"OUT/s", true, 85},
               {"IN B/s", true, 50},
               {"OUT B/s", true, 45},
               {"CONN", true, 35}},
              1);
  for (const NodeRow& node : view.nodes) {
    Row row;
    row.cells = {{std::to_string(node.id) + (node.controller ? "*" : " ")},
                 {node.name},
                 {node.state, ToneOf(node)}};
    if (!node.error.empty()) {
      row.rest = node.error;
      table.Add(std::move(row));
      continue;
    }
    const std::string followers =
        Whole(node.followers) + (node.closed > 0 ? "+" + Whole(node.closed) + " closed" : "");
    row.cells.insert(row.cells.end(), {{Whole(node.leaders)},
                                       {followers, node.closed > 0 ? Tone::kBad : Tone::kPlain},
                                       {Or(node.cpu_percent, Percent)},
                                       {Or(node.memory_bytes, HumanBytes)},
                                       {Or(node.fsync_p99_s, HumanSeconds)},
                                       {Or(node.produce_p50_s, HumanSeconds)},
                                       {Or(node.produce_p99_s, HumanSeconds)},
                                       {Or(node.rates.in_records, HumanCount)},
                                       {Or(node.rates.out_records, HumanCount)},
                                       {Or(node.rates.in_bytes, HumanBytes)},
                                       {Or(node.rates.out_bytes, HumanBytes)},
                                       {Or(node.connections, Whole)}});
    table.Add(std::move(row));
  }
  return table.Lines(options.width, options.color);
}

// "1:4 2:3 3:3": who leads how many; of many nodes the most and the fewest.
std::string Balance(const TopicRow& topic) {
  std::string text;
  if (topic.leaders.size() <= kMaxBalanceNodes) {
    for (const auto& [node, count] : topic.leaders) {
      text += base::StrCat(text.empty() ? "" : " ", node, ":", count);
    }
    return text.empty() ? "-" : text;
  }
  const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto [least, most] =
      std::minmax_element(topic.leaders.begin(), topic.leaders.end(), by_count);
  return base::StrCat(topic.leaders.size(), " nodes, ", least->second, "-", most->second);
}

std::vector<std::string> TopicLines(const ClusterView& view, const ScreenOptions& options) {
  Table table({{"TOPIC", false, 99},
               {"PARTS", true, 80},
               {"LEADERS", false, 45},
               {"IN/s", true, 95},
               {"OUT/s", true, 90},
               {"IN B/s", true, 55},
               {"OUT B/s", true, 50},
               {"SIZE", true, 75},
               {"CONS", true, 40},
               {"LAG", true, 85},
               {"STATE", false, 88}},
              0);
  for (const TopicRow& topic : view.topics) {
    Cell state{"ok", Tone::kGood};
    if (topic.under_replicated > 0) {
      state = {Whole(static_cast<double>(topic.under_replicated)) + " under", Tone::kWarn};
    }
    if (topic.without_leader > 0) {
      state = {Whole(static_cast<double>(topic.without_leader)) + " no lead", Tone::kBad};
    }
    table.Add({{{topic.name},
                {WithCommas(topic.partitions)},
                {Balance(topic)},
                {Or(topic.rates.in_records, HumanCount)},
                {Or(topic.rates.out_records, HumanCount)},
                {Or(topic.rates.in_bytes, HumanBytes)},
                {Or(topic.rates.out_bytes, HumanBytes)},
                {HumanBytes(topic.size_bytes)},
                {Whole(topic.consumers)},
                {Or(topic.lag_records, Whole)},
                state}});
  }
  return table.Lines(options.width, options.color);
}

std::string Flow(std::string_view name, const std::optional<double>& records,
                 const std::optional<double>& bytes) {
  if (!records) return base::StrCat(name, " -");
  return base::StrCat(name, " ", HumanCount(*records), " rec/s, ", HumanBytes(bytes.value_or(0)),
                      "/s");
}

std::string Waits(const ClusterView& view) {
  if (!view.waits_error.empty()) return "what it waits for is not known: " + view.waits_error;
  if (view.waits.empty()) return "all is as it should be";
  const WaitInfo& first = view.waits.front();
  const std::string others =
      view.waits.size() == 1 ? "" : base::StrCat(" (and ", view.waits.size() - 1, " more)");
  return base::StrCat("waits", others, ": ", first.about, ": ", first.why);
}

std::vector<std::string> HeaderLines(const ClusterView& view, const ScreenOptions& options) {
  const auto ready = std::count_if(view.nodes.begin(), view.nodes.end(),
                                   [](const NodeRow& node) { return node.well; });
  const std::string time =
      absl::FormatTime("%H:%M:%SZ", absl::FromUnixMillis(view.time_ms), absl::UTCTimeZone());
  const auto line = [&](const std::string& text, Tone tone) {
    return Colored(PlainText(text, options.width), tone, options.color);
  };
  const bool all_ready = static_cast<size_t>(ready) == view.nodes.size();
  std::vector<std::string> lines;
  // The id is what fits least.
  std::string first = base::StrCat(time, "  ", ready, " of ", view.nodes.size(),
                                   " nodes ready  controller ", view.controller, "  ");
  const std::string cluster = base::StrCat("cluster ", view.cluster_id);
  lines.push_back(line(first + cluster, all_ready ? Tone::kTitle : Tone::kBad));
  std::string second =
      WithCommas(view.partitions) + (view.partitions == 1 ? " partition" : " partitions");
  if (view.under_replicated > 0) {
    second += base::StrCat(", ", WithCommas(view.under_replicated), " under-replicated");
  }
  second += base::StrCat("   ", Flow("in", view.rates.in_records, view.rates.in_bytes), "   ",
                         Flow("out", view.rates.out_records, view.rates.out_bytes));
  if (view.incomplete) second += " (some have no metrics: --metrics-max-partitions)";
  lines.push_back(line(second, view.under_replicated > 0 ? Tone::kWarn : Tone::kPlain));
  if (!options.error.empty()) {
    lines.push_back(line("no answer, this is old: " + options.error, Tone::kBad));
  } else {
    const bool waits = !view.waits_error.empty() || !view.waits.empty();
    lines.push_back(line(Waits(view), waits ? Tone::kWarn : Tone::kGood));
  }
  lines.emplace_back();
  return lines;
}

std::string KeysLine(const ScreenOptions& options, size_t hidden) {
  std::string text = base::StrCat("q quit  s sort (now ",
                                  kSortNames[static_cast<size_t>(options.sort)], ")  j/k scroll");
  if (hidden > 0) text += base::StrCat("  ", hidden, hidden == 1 ? " more line" : " more lines");
  return Colored(PlainText(text, options.width), Tone::kTitle, options.color);
}

}  // namespace

std::string PlainText(std::string_view text, size_t width) {
  std::string plain;
  for (const char letter : text) {
    if (plain.size() == width) {
      if (width > 0) plain.back() = '~';
      return plain;
    }
    plain += letter >= ' ' && letter <= '~' ? letter : '?';
  }
  return plain;
}

Screen Draw(const ClusterView& view, const ScreenOptions& options) {
  Screen screen;
  screen.lines = HeaderLines(view, options);
  std::vector<std::string> body = NodeLines(view, options);
  body.emplace_back();
  for (std::string& line : TopicLines(view, options)) body.push_back(std::move(line));
  size_t room = body.size();
  if (options.height > 0) {
    const size_t fixed = screen.lines.size() + (options.keys ? 1 : 0);
    room = std::max(options.height, kMinHeight) -
           std::min(fixed, std::max(options.height, kMinHeight));
  }
  screen.max_scroll = body.size() - std::min(room, body.size());
  const size_t first = std::min(options.scroll, screen.max_scroll);
  const size_t end = std::min(first + room, body.size());
  for (size_t i = first; i < end; ++i) screen.lines.push_back(std::move(body[i]));
  if (options.keys) {
    // Below everything, at the bottom of the window.
    while (screen.lines.size() + 1 < options.height) screen.lines.emplace_back();
    screen.lines.push_back(KeysLine(options, body.size() - end));
  }
  if (options.height > 0 && screen.lines.size() > options.height) {
    screen.lines.resize(options.height);
  }
  return screen;
}

}  // namespace cairn::apps
