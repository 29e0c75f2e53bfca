// cairn: one program for the server, the client commands and the tools.

#include <malloc.h>

#include <csignal>
#include <exception>
#include <iostream>

#include "apps/command.h"
#include "apps/usage.h"

namespace {

// glibc's defaults give memory back to the kernel after every large message and fetch it again for
// the next: up to ten times slower for messages over 100 KB (docs/adr). Keep it instead.
void TuneMalloc() {
  constexpr int kKeepBytes = 1 << 30;
  constexpr int kGrowBytes = 16 << 20;
  mallopt(M_TRIM_THRESHOLD, kKeepBytes);
  mallopt(M_MMAP_THRESHOLD, kKeepBytes);
  mallopt(M_TOP_PAD, kGrowBytes);
}

}  // namespace

int main(int argc, char** argv) {
  TuneMalloc();
  // A reader that goes away is an error of the write, not a reason to die without a word.
  std::signal(SIGPIPE, SIG_IGN);
  cairn::apps::Chosen chosen;
  const auto app = cairn::apps::MakeApp(chosen);
  // CLI11 reports by exceptions; this is where they end.
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      return app->exit(error);  // --help, --version
    }
    std::cerr << cairn::apps::ExplainParseError(*app, error) << '\n';
    return cairn::apps::kUsage;
  }
  return chosen.run();
}
