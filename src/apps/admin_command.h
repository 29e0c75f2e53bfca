// Subcommands that ask a cluster something, or have it do something.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "apps/command.h"
#include "cairn/admin.h"

namespace cairn::apps {

// Adds one subcommand to `parent` that connects, as `flags.client` says, and does `work(admin,
// flags)`, which gives a status. Further flags are added to what is returned.
template <typename Flags, typename Work>
std::pair<CLI::App*, std::shared_ptr<Flags>> AddAdminSubcommand(CLI::App& parent, Chosen& chosen,
                                                                const char* name, const char* what,
                                                                Work work) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = parent.add_subcommand(name, what);
  AddClientFlags(*command, flags->client);
  OnChosen(*command, chosen, flags->client.output, [&chosen, flags, work] {
    auto client = Connect(flags->client);
    if (!client.ok()) return Fail(chosen, client.status());
    Admin admin(*std::move(client));
    const absl::Status status = work(admin, *flags);
    return status.ok() ? kDone : Fail(chosen, status);
  });
  return {command, flags};
}

}  // namespace cairn::apps
