// Terminal: the whole window of a terminal, for as long as the object lives, and what comes from
// its keyboard.
//
// Whatever ends the command (q, SIGINT, SIGTERM) or stops it (SIGTSTP, as by Ctrl-Z) leaves the
// terminal as it was.
#pragma once

#include <termios.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn::apps {

enum class Key { kQuit, kSort, kUp, kDown, kPageUp, kPageDown, kFirst, kLast };

// The keys that `bytes` begin with, which are taken from it; what may be the beginning of one more
// is left there. Other keys are passed over.
std::vector<Key> TakeKeys(std::string& bytes);

// Whether what is written to stdout may be coloured: it is a terminal, and the environment does not
// say NO_COLOR (no-color.org).
bool WantsColor();

// Of the main thread. One at a time.
class Terminal {
 public:
  // Whether stdin and stdout are a terminal that can be drawn on.
  static bool IsThere();
  // After CatchInterrupts, and before other threads are started. Errors: of the terminal.
  static absl::StatusOr<std::unique_ptr<Terminal>> Open();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  struct Size {
    size_t columns = 80;
    size_t lines = 24;
  };
  static Size size();

  // From the upper left corner on; what was there before is gone.
  static void Show(const std::vector<std::string>& lines);

  // Waits for keys, another size, an interrupt, or until `wake` can be read, whichever comes first.
  // The keys. nullopt: an interrupt came, or nobody is at the terminal any more.
  std::optional<std::vector<Key>> Wait(int wake);

 private:
  explicit Terminal(const termios& before) : before_(before) {}
  void Enter() const;
  void Leave() const;
  void HandleSignals();

  const termios before_;
  std::string typed_;
};

}  // namespace cairn::apps
