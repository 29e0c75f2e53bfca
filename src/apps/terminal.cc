#include "apps/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "apps/interrupt.h"
#include "base/check.h"

namespace cairn::apps {
namespace {

// Of xterm, and what follows it: another screen without a cursor, whose lines are not broken; and
// back (XTerm Control Sequences).
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";

// SIGWINCH, SIGTSTP and SIGCONT as bytes, so that poll sees them.
int signal_pipe[2] = {-1, -1};

extern "C" void HandleTerminalSignal(int number) {
  const int error = errno;
  const char byte = static_cast<char>(number);
  // A full pipe has enough to say already.
  [[maybe_unused]] const ssize_t written = write(signal_pipe[1], &byte, 1);
  errno = error;
}

void Catch(int number) {
  struct sigaction action {};
  action.sa_handler = HandleTerminalSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

void WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (wrote < 0 && errno != EINTR) return;  // the terminal is gone: Wait finds out
    if (wrote > 0) bytes.remove_prefix(static_cast<size_t>(wrote));
  }
}

struct KeyName {
  std::string_view bytes;
  Key key;
};
// With cursor keys in both of their modes.
constexpr KeyName kKeys[] = {
    {"q", Key::kQuit},         {"Q", Key::kQuit},           {"s", Key::kSort},
    {"k", Key::kUp},           {"\x1b[A", Key::kUp},        {"\x1bOA", Key::kUp},
    {"j", Key::kDown},         {"\x1b[B", Key::kDown},      {"\x1bOB", Key::kDown},
    {"\x1b[5~", Key::kPageUp}, {"\x1b[6~", Key::kPageDown}, {" ", Key::kPageDown},
    {"g", Key::kFirst},        {"\x1b[H", Key::kFirst},     {"\x1bOH", Key::kFirst},
    {"\x1b[1~", Key::kFirst},  {"G", Key::kLast},           {"\x1b[F", Key::kLast},
    {"\x1bOF", Key::kLast},    {"\x1b[4~", Key::kLast},
};

}  // namespace

std::vector<Key> TakeKeys(std::string& bytes) {
  std::vector<Key> keys;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const auto* found = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const KeyName& name) {
      return rest.starts_with(name.bytes);
    });
    if (found != std::end(kKeys)) {
      keys.push_back(found->key);
      rest.remove_prefix(found->bytes.size());
      continue;
    }
    const bool begins = std::any_of(std::begin(kKeys), std::end(kKeys), [&](const KeyName& name) {
      return name.bytes.starts_with(rest);
    });
    if (begins) break;
    rest.remove_prefix(1);
  }
  bytes = std::string(rest);
  return keys;
}

bool WantsColor() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return isatty(STDOUT_FILENO) == 1 && !dumb && (no_color == nullptr || *no_color == '\0');
}

bool Terminal::IsThere() {
  const char* term = std::getenv("TERM");
  return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && term != nullptr &&
         std::string_view(term) != "dumb";
}

absl::StatusOr<std::unique_ptr<Terminal>> Terminal::Open() {
  termios before{};
  if (tcgetattr(STDIN_FILENO, &before) != 0) {
    return absl::ErrnoToStatus(errno, "cannot read the state of the terminal");
  }
  if (signal_pipe[0] < 0) {
    CAIRN_CHECK(pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) == 0, "no descriptors for a pipe");
  }
  std::unique_ptr<Terminal> terminal(new Terminal(before));
  for (const int number : {SIGWINCH, SIGTSTP, SIGCONT}) Catch(number);
  terminal->Enter();
  return terminal;
}

Terminal::~Terminal() {
  for (const int number : {SIGWINCH, SIGTSTP, SIGCONT}) std::signal(number, SIG_DFL);
  Leave();
}

// Signals of keys stay; a core dump by a key would leave the terminal as it is.
void Terminal::Enter() const {
  termios now = before_;
  now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  now.c_cc[VQUIT] = _POSIX_VDISABLE;
  now.c_cc[VMIN] = 1;
  now.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
  WriteAll(kEnter);
}

void Terminal::Leave() const {
  WriteAll(kLeave);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

Terminal::Size Terminal::size() {
  winsize window{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0) {
    return {};
  }
  return {.columns = window.ws_col, .lines = window.ws_row};
}

void Terminal::Show(const std::vector<std::string>& lines) {
  // What was there is erased before a line is written: behind one that fills the window, the
  // cursor stands on its last letter.
  std::string bytes = "\x1b[H";
  for (size_t i = 0; i < lines.size(); ++i) {
    bytes += i == 0 ? "" : "\r\n";
    bytes += i + 1 < lines.size() ? "\x1b[K" : "\x1b[J";
    bytes += lines[i];
  }
  WriteAll(bytes);
}

void Terminal::HandleSignals() {
  char numbers[64];
  const ssize_t count = read(signal_pipe[0], numbers, sizeof(numbers));
  for (ssize_t i = 0; i < count; ++i) {
    if (numbers[i] == SIGTSTP) {
      Leave();
      std::signal(SIGTSTP, SIG_DFL);
      raise(SIGTSTP);  // here the process stops, and here it goes on
      Catch(SIGTSTP);
      Enter();
    } else if (numbers[i] == SIGCONT) {
      Enter();  // after a stop that could not be caught: a shell may have taken the terminal
    }
  }
}

std::optional<std::vector<Key>> Terminal::Wait(int wake) {
  pollfd fds[4] = {{STDIN_FILENO, POLLIN, 0},
                   {signal_pipe[0], POLLIN, 0},
                   {InterruptDescriptor(), POLLIN, 0},
                   {wake, POLLIN, 0}};
  while (poll(fds, std::size(fds), -1) < 0 && errno == EINTR && !Interrupted()) {
  }
  if (Interrupted()) return std::nullopt;
  if (fds[1].revents != 0) HandleSignals();
  if (fds[0].revents == 0) return std::vector<Key>();
  char typed[256];
  const ssize_t count = read(STDIN_FILENO, typed, sizeof(typed));
  if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) return std::nullopt;
  if (count > 0) typed_.append(typed, static_cast<size_t>(count));
  return TakeKeys(typed_);
}

}  // namespace cairn::apps
