// cairn version

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"

namespace cairn::apps {

void AddVersionCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("version", "Print the version");
  auto output = std::make_shared<OutputFormat>(OutputFormat::kText);
  AddOutputFlag(*command, *output);
  OnChosen(*command, chosen, *output, [output] {
    if (*output == OutputFormat::kJson) {
      std::cout
          << nlohmann::ordered_json{{"version", CAIRN_VERSION}, {"compiler", __VERSION__}}.dump()
          << '\n';
    } else {
      std::cout << "cairn " << CAIRN_VERSION << '\n';
    }
    return kDone;
  });
}

}  // namespace cairn::apps
