// cairn cluster members|event|keys|keygen

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/admin_command.h"
#include "apps/cluster_json.h"
#include "apps/command.h"
#include "apps/report.h"
#include "base/status_macros.h"
#include "cairn/admin.h"
#include "env/posix.h"
#include "gossip/wire/keyring.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  ClientFlags client;
  std::string name;
  std::string payload;
  std::string key;
};

bool WantsJson(const Flags& flags) { return flags.client.output == OutputFormat::kJson; }

absl::Status Members(Admin& admin, const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<MemberInfo> members, admin.ListMembers());
  if (WantsJson(flags)) {
    std::cout << ToJson(members).dump() << '\n';
    return absl::OkStatus();
  }
  for (const MemberInfo& member : members) {
    std::cout << member.name << "  " << member.address << "  " << member.status << "  "
              << member.kind;
    for (const auto& [name, value] : member.tags) std::cout << "  " << name << "=" << value;
    std::cout << '\n';
  }
  return absl::OkStatus();
}

absl::Status SendEvent(Admin& admin, const Flags& flags) {
  CAIRN_RETURN_IF_ERROR(admin.SendEvent(flags.name, flags.payload));
  if (WantsJson(flags)) {
    std::cout << Json{{"event", flags.name}}.dump() << '\n';
  } else {
    std::cout << "event " << flags.name << " was sent\n";
  }
  return absl::OkStatus();
}

absl::Status Keys(Admin& admin, const Flags& flags, KeyOperation operation) {
  CAIRN_ASSIGN_OR_RETURN(const KeysInfo keys, admin.ChangeKeys(operation, flags.key));
  if (WantsJson(flags)) {
    std::cout << Json{{"members", keys.members}, {"answers", keys.answers},
                      {"errors", keys.errors},   {"messages", keys.messages},
                      {"keys", keys.keys},       {"primary_keys", keys.primary_keys}}
                     .dump()
              << '\n';
  } else {
    std::cout << keys.answers << " of " << keys.members << " members answered\n";
    for (const auto& [key, count] : keys.keys) {
      std::cout << "  " << key << "  on " << count;
      if (keys.primary_keys.contains(key))
        std::cout << ", primary on " << keys.primary_keys.at(key);
      std::cout << '\n';
    }
  }
  if (keys.errors == 0 && keys.answers == keys.members) return absl::OkStatus();
  std::string why = std::to_string(keys.members - keys.answers + keys.errors) +
                    " members did not do it; try again when all answer";
  for (const auto& [member, message] : keys.messages) why += "; " + member + ": " + message;
  return absl::FailedPreconditionError(why);
}

void AddKeyCommand(CLI::App& parent, Chosen& chosen, const char* name, const char* what,
                   KeyOperation operation) {
  auto [command, flags] = AddAdminSubcommand<Flags>(
      parent, chosen, name, what,
      [operation](Admin& admin, const Flags& given) { return Keys(admin, given, operation); });
  if (operation == KeyOperation::kList) return;
  command->add_option("KEY", flags->key, "The key, as `cairn cluster keygen` makes one")
      ->required();
}

void AddKeygen(CLI::App& parent, Chosen& chosen) {
  static constexpr OutputFormat kText = OutputFormat::kText;
  constexpr size_t kKeyBytes = 32;  // AES-256
  CLI::App* command = parent.add_subcommand(
      "keygen", "Make a key for --encrypt or `keys install`; needs no server");
  OnChosen(*command, chosen, kText, [] {
    std::string key;
    while (key.size() < kKeyBytes) {
      const uint64_t word = env::SystemRandom().Next();
      key.append(reinterpret_cast<const char*>(&word), sizeof(word));
    }
    std::cout << gossip::FormatKey(key) << '\n';
    return kDone;
  });
}

}  // namespace

void AddGossipCommands(CLI::App& cluster, Chosen& chosen) {
  AddAdminSubcommand<Flags>(
      cluster, chosen, "members",
      "Show who gossips: nodes, and agents that are none; alive, left or failed", Members);
  auto [event, event_flags] = AddAdminSubcommand<Flags>(
      cluster, chosen, "event", "Send a user event to all members", SendEvent);
  event->add_option("NAME", event_flags->name, "The name of the event")->required();
  event->add_option("PAYLOAD", event_flags->payload,
                    "What it carries; with the name at most 512 bytes");
  CLI::App* keys = cluster.add_subcommand("keys", "See and change what gossip is encrypted with");
  keys->require_subcommand(1);
  AddKeyCommand(*keys, chosen, "list", "Show the keys, and how many members have each",
                KeyOperation::kList);
  AddKeyCommand(*keys, chosen, "install", "Let all members read what this key seals",
                KeyOperation::kInstall);
  AddKeyCommand(*keys, chosen, "use", "Let all members seal with an installed key",
                KeyOperation::kUse);
  AddKeyCommand(*keys, chosen, "remove", "Let all members forget a key that none seals with",
                KeyOperation::kRemove);
  AddKeygen(cluster, chosen);
}

}  // namespace cairn::apps
