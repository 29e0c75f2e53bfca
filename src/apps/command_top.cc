// cairn top: what a cluster does, again and again.

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "apps/cluster_view.h"
#include "apps/command.h"
#include "apps/interrupt.h"
#include "apps/output_writer.h"
#include "apps/terminal.h"
#include "apps/top_screen.h"
#include "base/check.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cairn/admin.h"

namespace cairn::apps {
namespace {

constexpr absl::Duration kMinInterval = absl::Milliseconds(100);
constexpr absl::Duration kMaxInterval = absl::Hours(1);
// A node that hangs makes the others wait; on a screen not for longer than this.
constexpr double kMaxLiveTimeoutS = 5;
// Nodes that are asked at the same time.
constexpr size_t kAskedAtOnce = 16;
// Of a view on paper.
constexpr size_t kPaperColumns = 120;
constexpr size_t kMinColumns = 40;

struct Flags {
  ClientFlags client;
  std::string interval = "2s";
  std::string sort = "name";
  bool once = false;
};

double NowS() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

NodeSample LookAtNode(Admin& admin, int32_t node) {
  const auto names = ViewMetrics();
  auto text = admin.GetMetrics(node, {names.begin(), names.end()});
  NodeSample sample{.at_s = NowS()};
  sample.metrics = text.ok() ? telemetry::ParsedMetrics::Parse(*text)
                             : absl::StatusOr<telemetry::ParsedMetrics>(text.status());
  return sample;
}

absl::StatusOr<ClusterSample> Look(Admin& admin) {
  ClusterSample sample;
  CAIRN_ASSIGN_OR_RETURN(sample.cluster, admin.DescribeCluster());
  sample.waits = admin.ExplainCluster();
  const auto& nodes = sample.cluster.nodes;
  for (size_t first = 0; first < nodes.size(); first += kAskedAtOnce) {
    const size_t end = std::min(first + kAskedAtOnce, nodes.size());
    std::vector<std::future<NodeSample>> asked;
    for (size_t i = first; i < end; ++i) {
      asked.push_back(std::async(std::launch::async,
                                 [&admin, id = nodes[i].id] { return LookAtNode(admin, id); }));
    }
    for (size_t i = first; i < end; ++i) sample.nodes[nodes[i].id] = asked[i - first].get();
  }
  sample.time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  return sample;
}

// Looks at the cluster at the beginning of each interval, on a thread of its own: a key is answered
// while a node does not answer. Thread-safe.
class Watcher {
 public:
  Watcher(Admin admin, absl::Duration interval)
      : admin_(std::move(admin)),
        interval_(absl::ToChronoMilliseconds(interval)),
        descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    CAIRN_CHECK(descriptor_ >= 0, "no descriptor for an event");
    thread_ = std::thread([this] { Run(); });
  }
  // A look that is under way cannot be broken off. The process ends with it: there is nothing left
  // to do but to wait for nodes that do not answer.
  ~Watcher() {
    bool ended = false;
    {
      base::MutexLock lock(mutex_);
      stop_ = true;
      changed_.NotifyAll();
      const auto patience = std::chrono::milliseconds(200);
      if (!ended_) changed_.WaitFor(mutex_, patience);
      ended = ended_;
    }
    if (!ended) std::_Exit(kDone);
    thread_.join();
    close(descriptor_);
  }

  // Can be read when there is a new look.
  int descriptor() const { return descriptor_; }
  std::optional<absl::StatusOr<ClusterSample>> Take() {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(descriptor_, &count, sizeof(count));
    base::MutexLock lock(mutex_);
    return std::exchange(fresh_, std::nullopt);
  }

 private:
  void Run() {
    auto next = std::chrono::steady_clock::now();
    for (;;) {
      auto sample = Look(admin_);
      base::MutexLock lock(mutex_);
      fresh_ = std::move(sample);
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t told = write(descriptor_, &one, sizeof(one));
      // After a look that took longer than the interval the next one comes a whole one later.
      next = std::max(next + interval_, std::chrono::steady_clock::now());
      while (!stop_ && std::chrono::steady_clock::now() < next) {
        changed_.WaitFor(mutex_, next - std::chrono::steady_clock::now());
      }
      if (!stop_) continue;
      ended_ = true;
      changed_.NotifyAll();
      return;
    }
  }

  Admin admin_;
  const std::chrono::milliseconds interval_;
  const int descriptor_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool stop_ CAIRN_GUARDED_BY(mutex_) = false;
  bool ended_ CAIRN_GUARDED_BY(mutex_) = false;
  std::optional<absl::StatusOr<ClusterSample>> fresh_ CAIRN_GUARDED_BY(mutex_);
  std::thread thread_;
};

// What is on the screen, and what the keys have made of it.
class LiveView {
 public:
  explicit LiveView(SortKey sort) { options_.sort = sort; }

  void Take(absl::StatusOr<ClusterSample> sample) {
    options_.error.clear();
    if (!sample.ok()) {
      options_.error = std::string(base::StdView(sample.status().message()));
      return;
    }
    view_ = MakeView(last_ ? &*last_ : nullptr, *sample);
    last_ = *std::move(sample);
  }

  // False: the end.
  bool Press(Key key) {
    const size_t page = std::max<size_t>(1, Terminal::size().lines / 2);
    switch (key) {
      case Key::kQuit:
        return false;
      case Key::kSort:
        options_.sort =
            static_cast<SortKey>((static_cast<size_t>(options_.sort) + 1) % std::size(kSortNames));
        break;
      case Key::kUp:
        options_.scroll -= std::min<size_t>(options_.scroll, 1);
        break;
      case Key::kDown:
        options_.scroll += 1;
        break;
      case Key::kPageUp:
        options_.scroll -= std::min(options_.scroll, page);
        break;
      case Key::kPageDown:
        options_.scroll += page;
        break;
      case Key::kFirst:
        options_.scroll = 0;
        break;
      case Key::kLast:
        options_.scroll = max_scroll_;
        break;
    }
    options_.scroll = std::min(options_.scroll, max_scroll_);
    return true;
  }

  void Show() {
    const Terminal::Size size = Terminal::size();
    if (!view_) {
      const std::string what = options_.error.empty() ? "asking the cluster" : options_.error;
      return Terminal::Show({PlainText(what, size.columns), "q quits"});
    }
    options_.width = std::max(size.columns, kMinColumns);
    options_.height = size.lines;
    options_.color = WantsColor();
    options_.keys = true;
    SortTopics(view_->topics, options_.sort);
    const Screen screen = Draw(*view_, options_);
    max_scroll_ = screen.max_scroll;
    options_.scroll = std::min(options_.scroll, max_scroll_);
    Terminal::Show(screen.lines);
  }

 private:
  ScreenOptions options_;
  size_t max_scroll_ = 0;
  std::optional<ClusterSample> last_;
  std::optional<ClusterView> view_;
};

absl::Status Live(const Flags& flags, absl::Duration interval, SortKey sort) {
  ClientFlags client_flags = flags.client;
  client_flags.timeout_s = std::min(client_flags.timeout_s, kMaxLiveTimeoutS);
  CatchInterrupts();
  CAIRN_ASSIGN_OR_RETURN(auto client, Connect(client_flags));
  Watcher watcher(Admin(std::move(client)), interval);
  LiveView view(sort);
  CAIRN_ASSIGN_OR_RETURN(const auto terminal, Terminal::Open());
  for (;;) {
    view.Show();
    const auto keys = terminal->Wait(watcher.descriptor());
    if (!keys) return absl::OkStatus();
    for (const Key key : *keys) {
      if (!view.Press(key)) return absl::OkStatus();
    }
    if (auto sample = watcher.Take()) view.Take(*std::move(sample));
  }
}

std::string ToPaper(ClusterView view, SortKey sort) {
  SortTopics(view.topics, sort);
  const size_t width = isatty(STDOUT_FILENO) == 1 ? Terminal::size().columns : kPaperColumns;
  std::string text;
  for (const std::string& line :
       Draw(view, {.width = std::max(width, kMinColumns), .color = WantsColor(), .sort = sort})
           .lines) {
    text += line + "\n";
  }
  return text;
}

// A view of each interval, as text or as an object of JSON, until an interrupt comes; or one.
absl::Status Print(const Flags& flags, absl::Duration interval, SortKey sort, bool once) {
  CatchInterrupts();
  CAIRN_ASSIGN_OR_RETURN(auto client, Connect(flags.client));
  Admin admin(std::move(client));
  SharedOutput output(STDOUT_FILENO);
  CAIRN_ASSIGN_OR_RETURN(ClusterSample before, Look(admin));
  while (!WaitInterrupted(absl::ToInt64Milliseconds(interval))) {
    CAIRN_ASSIGN_OR_RETURN(ClusterSample now, Look(admin));
    ClusterView view = MakeView(&before, now);
    const std::string text =
        flags.client.output == OutputFormat::kJson
            ? ToJson(view).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"
            : ToPaper(std::move(view), sort);
    const absl::Status written = output.Write(text);
    if (absl::IsCancelled(written)) break;  // nobody reads any more
    CAIRN_RETURN_IF_ERROR(written);
    if (once) break;
    before = std::move(now);
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> ParseInterval(const std::string& text) {
  absl::Duration interval;
  double seconds = 0;
  const bool plain = absl::SimpleAtod(text, &seconds) && std::isfinite(seconds);
  if (plain) interval = absl::Seconds(seconds);
  if ((!plain && !absl::ParseDuration(text, &interval)) || interval < kMinInterval ||
      interval > kMaxInterval) {
    return absl::InvalidArgumentError(
        base::StrCat("--interval '", text, "' is no time from 100ms to 1h, as in 2s, 500ms or 2"));
  }
  return interval;
}

absl::Status Top(const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(const absl::Duration interval, ParseInterval(flags.interval));
  const auto* found = std::find(std::begin(kSortNames), std::end(kSortNames), flags.sort);
  const auto sort = static_cast<SortKey>(found - std::begin(kSortNames));
  const bool json = flags.client.output == OutputFormat::kJson;
  if (!flags.once && !json && Terminal::IsThere()) return Live(flags, interval, sort);
  return Print(flags, interval, sort, flags.once || !json);
}

}  // namespace

void AddTopCommand(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = app.add_subcommand(
      "top",
      "Watch what a cluster does: its nodes, its topics, rates and lag. Keys: q quits, s sorts by "
      "something else, arrows, j, k and page keys scroll. Without a terminal it prints one view; "
      "with --output json an object for each interval, until it is interrupted");
  command
      ->add_option("--interval", flags->interval,
                   "How often to look, and what rates are taken over, as in 500ms; seconds without "
                   "a unit")
      ->type_name("TIME")
      ->capture_default_str();
  command
      ->add_option("--sort", flags->sort, "What topics are sorted by: name, in, out, size or lag")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kSortNames), std::end(kSortNames))))
      ->type_name("KEY")
      ->capture_default_str();
  command->add_flag("--once", flags->once, "Print one view, of the first interval, and end");
  AddClientFlags(*command, flags->client);
  OnChosen(*command, chosen, flags->client.output, [&chosen, flags] {
    const absl::Status status = Top(*flags);
    return status.ok() ? kDone : Fail(chosen, status);
  });
}

}  // namespace cairn::apps
