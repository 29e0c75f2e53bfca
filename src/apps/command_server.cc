// cairn server

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "base/status_macros.h"
#include "server/run_server.h"
#include "server/server_config.h"

namespace cairn::apps {
namespace {

struct Flags {
  std::string config_file;
  std::vector<std::pair<std::string, std::string>> values;  // in the order of the command line
};

absl::StatusOr<server::ServerConfig> Load(const Flags& flags) {
  server::ConfigSources sources;
  sources.environment = [](const char* name) -> const char* { return std::getenv(name); };
  sources.flags = flags.values;
  if (!flags.config_file.empty()) sources.config_file = flags.config_file;
  CAIRN_ASSIGN_OR_RETURN(server::ServerConfig config, server::LoadConfig(sources));
  CAIRN_RETURN_IF_ERROR(server::ValidateConfig(config));
  return config;
}

int Run(const Flags& flags, const Chosen& chosen) {
  const absl::StatusOr<server::ServerConfig> config = Load(flags);
  if (!config.ok()) return Fail(chosen, config.status());
  return server::RunServer(
      *config,
      [](const std::string& address) {
        // For scripts: with --rpc-port 0 nobody else knows the port.
        std::printf("listening on %s\n", address.c_str());
        std::fflush(stdout);
      },
      [&flags] { return Load(flags); });
}

}  // namespace

void AddServerCommand(CLI::App& app, Chosen& chosen) {
  static constexpr OutputFormat kText = OutputFormat::kText;
  CLI::App* command = app.add_subcommand("server", "Run a node");
  auto flags = std::make_shared<Flags>();
  const server::ServerConfig defaults;
  command
      ->add_option("--config-file", flags->config_file,
                   "Read settings from this YAML file; flags and CAIRN_* variables override it")
      ->envname("CAIRN_CONFIG_FILE")
      ->type_name("FILE");
  for (const server::ConfigKey& key : server::ConfigKeys()) {
    const std::string name(key.name);
    std::string flag = "--" + name;
    std::string variable = "CAIRN_" + name;
    for (char& letter : flag) letter = letter == '_' ? '-' : letter;
    for (char& letter : variable) letter = static_cast<char>(std::toupper(letter));
    // The environment is read by LoadConfig; it is named here so that the help shows it.
    const std::string help = std::string(key.help) + " [" + variable + "]";
    if (key.is_switch()) {
      command->add_flag_callback(
          flag, [flags, name] { flags->values.emplace_back(name, "true"); }, help);
      continue;
    }
    command
        ->add_option_function<std::string>(
            flag,
            [flags, name](const std::string& text) { flags->values.emplace_back(name, text); },
            help)
        ->type_name(std::string(key.value_name))
        ->default_str(key.show(defaults));
  }
  command->footer(
      "Prints \"listening on HOST:PORT\" to stdout once it serves. SIGTERM and SIGINT stop it: it "
      "finishes what "
      "it accepted,\nsyncs, and exits with 0. SIGHUP re-reads certificates, policy and the log "
      "levels, and opens log files again.");
  OnChosen(*command, chosen, kText, [flags, &chosen] { return Run(*flags, chosen); });
}

}  // namespace cairn::apps
