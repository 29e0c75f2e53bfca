// cairn docs man | completion SHELL | metrics

#include <iostream>
#include <memory>
#include <string>

#include "apps/command.h"
#include "apps/manual.h"
#include "telemetry/metric_table.h"

namespace cairn::apps {

void AddDocsCommand(CLI::App& app, Chosen& chosen) {
  static constexpr OutputFormat kText = OutputFormat::kText;
  CLI::App* docs =
      app.add_subcommand("docs", "Print the man page, shell completions or the page of metrics");
  docs->require_subcommand(1);
  CLI::App* man = docs->add_subcommand("man", "Print the man page, in roff");
  OnChosen(*man, chosen, kText, [&app] {
    std::cout << ManPage(app);
    return kDone;
  });
  CLI::App* metrics = docs->add_subcommand("metrics", "Print the page of all metrics, in Markdown");
  OnChosen(*metrics, chosen, kText, [] {
    std::cout << telemetry::MetricsPage();
    return kDone;
  });
  CLI::App* completion =
      docs->add_subcommand("completion", "Print a completion script for a shell");
  auto shell = std::make_shared<std::string>();
  completion->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  OnChosen(*completion, chosen, kText, [&app, shell] {
    std::cout << (*shell == "bash"  ? BashCompletion(app)
                  : *shell == "zsh" ? ZshCompletion(app)
                                    : FishCompletion(app));
    return kDone;
  });
}

}  // namespace cairn::apps
