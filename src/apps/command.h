// What the commands of the cairn program share: their flags, how they print, how they fail.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cairn/client.h"

namespace cairn::apps {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
// `acl check` only: the command did its work, and the answer is no. Not kFailed: a script has to
// tell a denial from a policy that could not be read.
inline constexpr int kDenied = 3;

enum class OutputFormat { kText, kJson };

// Flags of every command that talks to a broker.
struct ClientFlags {
  std::string address = "127.0.0.1:8400";
  TlsFiles tls;
  double timeout_s = 30;
  OutputFormat output = OutputFormat::kText;
};

// The command that the command line chose; main runs it after parsing.
struct Chosen {
  std::function<int()> run;
  std::string name;                           // "topic create", "cluster keys list"
  OutputFormat output = OutputFormat::kText;  // of its errors
};

// Adds --output to `command`.
void AddOutputFlag(CLI::App& command, OutputFormat& output);
// Adds --addr, --tls-*, --timeout and --output to `command`.
void AddClientFlags(CLI::App& command, ClientFlags& flags);

// Adds --traceparent, for which the environment has TRACEPARENT, to `command`.
void AddTraceparentFlag(CLI::App& command, std::string& traceparent);
// The flag or, without it, the variable; "": neither, or the variable is none.
std::string TraceparentOf(const std::string& flag);

// Makes `run` what main runs when the command line chooses `command`. `flags` is read then.
void OnChosen(CLI::App& command, Chosen& chosen, const OutputFormat& output,
              std::function<int()> run);

absl::StatusOr<std::shared_ptr<Client>> Connect(const ClientFlags& flags);

// Prints what went wrong to stderr, in the format of the chosen command, with what to do about it.
// Returns kFailed, or kUsage for INVALID_ARGUMENT without a reason (a flag the library refused).
int Fail(const Chosen& chosen, const absl::Status& status);

// Each adds its command, and below it its own subcommands.
void AddServerCommand(CLI::App& app, Chosen& chosen);
void AddProduceCommand(CLI::App& app, Chosen& chosen);
void AddConsumeCommand(CLI::App& app, Chosen& chosen);
void AddTopicCommand(CLI::App& app, Chosen& chosen);
void AddClusterCommand(CLI::App& app, Chosen& chosen);
// Those of `cairn cluster` that are about gossip.
void AddGossipCommands(CLI::App& cluster, Chosen& chosen);
void AddTopCommand(CLI::App& app, Chosen& chosen);
void AddDebugCommand(CLI::App& app, Chosen& chosen);
void AddLogCommand(CLI::App& app, Chosen& chosen);
// What needs neither a server nor a log.
void AddCertsCommand(CLI::App& app, Chosen& chosen);
void AddAclCommand(CLI::App& app, Chosen& chosen);
void AddBenchCommand(CLI::App& app, Chosen& chosen);
void AddSimCommand(CLI::App& app, Chosen& chosen);
void AddDocsCommand(CLI::App& app, Chosen& chosen);
void AddVersionCommand(CLI::App& app, Chosen& chosen);

// The whole tree.
std::unique_ptr<CLI::App> MakeApp(Chosen& chosen);

}  // namespace cairn::apps
