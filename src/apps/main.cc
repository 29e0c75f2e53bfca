// cairn: one program for the server, the client commands and the tools.

#include <csignal>
#include <exception>
#include <iostream>

#include "apps/command.h"
#include "apps/usage.h"
#include "base/malloc_tuning.h"
#include "rpc/grpc_log.h"

int main(int argc, char** argv) {
  cairn::base::TuneMalloc();
  // A reader that goes away is an error of the write, not a reason to die without a word.
  std::signal(SIGPIPE, SIG_IGN);
  // What matters of gRPC's words is in the errors of its calls; the server logs the rest.
  cairn::rpc::SetGrpcLogSink(nullptr);
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
