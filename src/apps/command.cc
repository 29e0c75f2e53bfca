#include "apps/command.h"

#include <cstdlib>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/usage.h"
#include "base/strings.h"
#include "base/trace_context.h"
#include "cairn/error.h"

namespace cairn::apps {
namespace {

// What to do about an error, for those where it is not plain from the message.
std::string HintFor(const absl::Status& status, const std::string& reason) {
  if (reason == "OFFSET_OUT_OF_RANGE")
    return "use --from earliest, or an offset in the range above";
  if (reason == "DISK_FULL")
    return "free space in the broker's data directory; it recovers by itself";
  if (reason == "DAMAGED_LOG") return "run `cairn log verify` on the broker's data directory";
  if (reason == "NODE_IN_USE") return "empty it first: `cairn cluster drain NODE`";
  if (reason == "NOT_LEADER")
    return "`cairn cluster status` shows who leads; elections take a second";
  if (reason == "TOPIC_EXISTS") return "see it with `cairn topic describe NAME`";
  if (reason.empty() && status.code() == absl::StatusCode::kUnavailable) {
    return "is the server running? Start one with `cairn server`, or name its address with --addr; "
           "one with certificates needs --tls-ca-file, --tls-cert-file and --tls-key-file";
  }
  return "";
}

}  // namespace

void AddOutputFlag(CLI::App& command, OutputFormat& output) {
  static const std::map<std::string, OutputFormat> kFormats = {{"text", OutputFormat::kText},
                                                               {"json", OutputFormat::kJson}};
  command
      .add_option_function<std::string>(
          "--output", [&output](const std::string& name) { output = kFormats.at(name); },
          "How to print results: text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT")
      ->default_str("text");
}

void AddClientFlags(CLI::App& command, ClientFlags& flags) {
  command.add_option("--addr", flags.address, "The broker, or several separated by commas")
      ->envname("CAIRN_ADDR")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  command
      .add_option("--tls-ca-file", flags.tls.ca_file, "Use TLS; trust what this CA signed (PEM)")
      ->envname("CAIRN_TLS_CA_FILE")
      ->type_name("FILE");
  command.add_option("--tls-cert-file", flags.tls.cert_file, "The client's certificate (PEM)")
      ->envname("CAIRN_TLS_CERT_FILE")
      ->type_name("FILE");
  command.add_option("--tls-key-file", flags.tls.key_file, "The key of that certificate (PEM)")
      ->envname("CAIRN_TLS_KEY_FILE")
      ->type_name("FILE");
  command.add_option("--timeout", flags.timeout_s, "How long to wait for an answer of the broker")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.001, 86'400.0))
      ->capture_default_str();
  AddOutputFlag(command, flags.output);
}

void AddTraceparentFlag(CLI::App& command, std::string& traceparent) {
  command
      .add_option("--traceparent", traceparent,
                  "The trace that this belongs to, as W3C Trace Context writes it [TRACEPARENT]")
      ->type_name("00-TRACE-SPAN-FLAGS")
      ->check([](const std::string& text) {
        return base::ParseTraceparent(text)
                   ? std::string()
                   : "\"" + text + "\" is no traceparent; expected 00-TRACE-SPAN-FLAGS";
      });
}

std::string TraceparentOf(const std::string& flag) {
  if (!flag.empty()) return flag;
  const char* variable = std::getenv("TRACEPARENT");
  return variable != nullptr && base::ParseTraceparent(variable) ? variable : "";
}

void OnChosen(CLI::App& command, Chosen& chosen, const OutputFormat& output,
              std::function<int()> run) {
  command.callback([&command, &chosen, &output, run = std::move(run)] {
    chosen.run = run;
    chosen.output = output;
    chosen.name = CommandPath(command);
  });
}

absl::StatusOr<std::shared_ptr<Client>> Connect(const ClientFlags& flags) {
  return Client::Create({.address = flags.address,
                         .tls = flags.tls,
                         .timeout_ms = static_cast<int64_t>(flags.timeout_s * 1000)});
}

int Fail(const Chosen& chosen, const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  const std::string hint = HintFor(status, reason);
  const std::string message(base::StdView(status.message()));
  if (chosen.output == OutputFormat::kJson) {
    nlohmann::ordered_json error = {{"code", absl::StatusCodeToString(status.code())},
                                    {"message", message}};
    if (!reason.empty()) error["reason"] = reason;
    if (const auto metadata = ErrorMetadata(status); !metadata.empty())
      error["metadata"] = metadata;
    if (!hint.empty()) error["hint"] = hint;
    std::cerr << nlohmann::ordered_json{{"error", error}}.dump(
                     -1, ' ', false, nlohmann::json::error_handler_t::replace)
              << '\n';
  } else {
    std::cerr << "cairn " << chosen.name << ": " << message << '\n';
    if (!hint.empty()) std::cerr << "  " << hint << '\n';
  }
  const bool flag_refused = status.code() == absl::StatusCode::kInvalidArgument && reason.empty();
  return flag_refused ? kUsage : kFailed;
}

std::unique_ptr<CLI::App> MakeApp(Chosen& chosen) {
  auto app = std::make_unique<CLI::App>("A replicated commit log in one binary", "cairn");
  app->require_subcommand(1);
  app->set_version_flag("--version", CAIRN_VERSION);
  app->set_help_flag("-h,--help", "Print this help and exit");
  app->failure_message(CLI::FailureMessage::simple);
  app->footer(
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 denied (`acl check`). Logs and progress go "
      "to stderr.\n"
      "Each command has its own --help.");
  AddServerCommand(*app, chosen);
  AddProduceCommand(*app, chosen);
  AddConsumeCommand(*app, chosen);
  AddTopicCommand(*app, chosen);
  AddClusterCommand(*app, chosen);
  AddTopCommand(*app, chosen);
  AddDebugCommand(*app, chosen);
  AddLogCommand(*app, chosen);
  AddCertsCommand(*app, chosen);
  AddAclCommand(*app, chosen);
  AddBenchCommand(*app, chosen);
  AddSimCommand(*app, chosen);
  AddDocsCommand(*app, chosen);
  AddVersionCommand(*app, chosen);
  return app;
}

}  // namespace cairn::apps
