// cairn cluster status|why|transfer|drain|resume|remove

#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/admin_command.h"
#include "apps/cluster_json.h"
#include "apps/command.h"
#include "apps/report.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cairn/admin.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  ClientFlags client;
  std::string topic;
  std::string node;
  int32_t partition = 0;
};

// A node by its number or its name.
absl::StatusOr<int32_t> FindNode(Admin& admin, const std::string& text) {
  int32_t id = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), id);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && id > 0) return id;
  CAIRN_ASSIGN_OR_RETURN(const ClusterInfo cluster, admin.DescribeCluster());
  std::string names;
  // A wiped node comes back under its old name: the dead one is not meant.
  const NodeInfo* found = nullptr;
  for (const NodeInfo& node : cluster.nodes) {
    names += base::StrCat(names.empty() ? "" : ", ", node.name);
    const bool better = found == nullptr || found->state == NodeState::kDead;
    if (node.name == text && better) found = &node;
  }
  if (found != nullptr) return found->id;
  return absl::NotFoundError(
      base::StrCat("the cluster has no node '", text, "'; there are: ", names));
}

// What the node is to the group that decides.
std::string_view ControllerRole(const ClusterInfo& cluster, int32_t node) {
  if (node == cluster.controller) return ", controller";
  for (const PartitionMember& member : cluster.controller_members) {
    if (member.node == node) return member.votes ? ", votes for the controller" : "";
  }
  return "";
}

// Each column as wide as its widest cell.
void PrintRows(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += "  " + row[i] + std::string(widths[i] - row[i].size(), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::cout << line << '\n';
  }
}

std::vector<std::string> NodeCells(const ClusterInfo& cluster, const NodeInfo& node) {
  const NodeLoad load = LoadOf(cluster, node.id);
  return {base::StrCat("node ", node.id),
          node.name,
          node.address,
          base::StrCat(ToText(node.state), node.reachable ? "" : ", does not answer",
                       ControllerRole(cluster, node.id)),
          base::StrCat("leads ", load.leads, ", holds ", load.holds),
          node.gossip.empty() ? "" : "gossip " + node.gossip,
          node.version.empty() ? "" : "version " + node.version,
          node.rack.empty() ? "" : "rack " + node.rack};
}

void PrintText(const PartitionStateInfo& partition) {
  std::cout << "  " << partition.topic << "/" << partition.partition << "  ";
  if (partition.leader == 0) {
    std::cout << "no leader";
  } else {
    std::cout << "leader " << partition.leader;
  }
  std::cout << "  replicas";
  for (const int32_t node : partition.replicas) std::cout << ' ' << node;
  for (const PartitionMember& member : partition.members) {
    if (member.node == partition.leader) continue;
    std::string what;
    if (!member.votes) what = "catches up";
    if (member.damaged) what = "repairs its log";
    if (!member.reachable) what = "does not answer";
    if (member.lag_entries.value_or(0) > 0) {
      what += base::StrCat(what.empty() ? "" : ", ", WithCommas(*member.lag_entries), " behind");
    }
    if (!what.empty()) std::cout << "; node " << member.node << " " << what;
  }
  if (partition.under_replicated) std::cout << "  UNDER-REPLICATED";
  std::cout << '\n';
}

void PrintText(const ClusterInfo& cluster) {
  size_t short_of_copies = 0;
  size_t without_leader = 0;
  for (const auto& partition : cluster.partitions) {
    if (partition.under_replicated) ++short_of_copies;
    if (partition.leader == 0) ++without_leader;
  }
  std::cout << "cluster " << cluster.id << "\n";
  std::vector<std::vector<std::string>> rows;
  for (const NodeInfo& node : cluster.nodes) rows.push_back(NodeCells(cluster, node));
  PrintRows(rows);
  std::cout << WithCommas(cluster.partitions.size())
            << (cluster.partitions.size() == 1 ? " partition" : " partitions");
  if (without_leader > 0) std::cout << ", " << WithCommas(without_leader) << " without a leader";
  if (short_of_copies > 0) std::cout << ", " << WithCommas(short_of_copies) << " under-replicated";
  std::cout << '\n';
  for (const PartitionStateInfo& partition : cluster.partitions) PrintText(partition);
  if (short_of_copies > 0) std::cout << "`cairn cluster why` says what that waits for\n";
}

absl::Status Status(Admin& admin, const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(const ClusterInfo cluster, admin.DescribeCluster(flags.topic));
  if (flags.client.output == OutputFormat::kJson) {
    std::cout << ToJson(cluster).dump() << '\n';
  } else {
    PrintText(cluster);
  }
  return absl::OkStatus();
}

absl::Status Why(Admin& admin, const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<WaitInfo> waits, admin.ExplainCluster());
  if (flags.client.output == OutputFormat::kJson) {
    std::cout << ToJson(waits).dump() << '\n';
    return absl::OkStatus();
  }
  if (waits.empty()) std::cout << "all is as it should be\n";
  for (const WaitInfo& wait : waits) std::cout << wait.about << ": " << wait.why << '\n';
  return absl::OkStatus();
}

absl::Status Transfer(Admin& admin, const Flags& flags) {
  int32_t to = 0;
  if (!flags.node.empty()) {
    CAIRN_ASSIGN_OR_RETURN(to, FindNode(admin, flags.node));
  }
  CAIRN_ASSIGN_OR_RETURN(const int32_t leader,
                         admin.TransferLeadership(flags.topic, flags.partition, to));
  if (flags.client.output == OutputFormat::kJson) {
    std::cout
        << Json{{"topic", flags.topic}, {"partition", flags.partition}, {"leader", leader}}.dump()
        << '\n';
  } else {
    std::cout << flags.topic << "/" << flags.partition << " is led by node " << leader << '\n';
  }
  return absl::OkStatus();
}

// drain, resume and remove: what is done to a node, and how it reads when it was.
absl::Status ChangeNode(Admin& admin, const Flags& flags, absl::Status (Admin::*change)(int32_t),
                        const char* key, const char* text) {
  CAIRN_ASSIGN_OR_RETURN(const int32_t node, FindNode(admin, flags.node));
  CAIRN_RETURN_IF_ERROR((admin.*change)(node));
  if (flags.client.output == OutputFormat::kJson) {
    std::cout << Json{{key, node}}.dump() << '\n';
  } else {
    std::cout << "node " << node << " " << text << '\n';
  }
  return absl::OkStatus();
}

void AddNodeCommand(CLI::App& parent, Chosen& chosen, const char* name, const char* what,
                    absl::Status (Admin::*change)(int32_t), const char* key, const char* text) {
  auto [command, flags] =
      AddAdminSubcommand<Flags>(parent, chosen, name, what, [=](Admin& admin, const Flags& given) {
        return ChangeNode(admin, given, change, key, text);
      });
  command->add_option("NODE", flags->node, "The node's number or name")->required();
}

}  // namespace

void AddClusterCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* cluster = app.add_subcommand("cluster", "See and steer the nodes of a cluster");
  cluster->require_subcommand(1);

  auto [status, status_flags] = AddAdminSubcommand<Flags>(
      *cluster, chosen, "status", "Show the nodes, and who holds and leads each partition", Status);
  status->add_option("--topic", status_flags->topic, "Only the partitions of this topic")
      ->type_name("NAME");

  AddAdminSubcommand<Flags>(*cluster, chosen, "why",
                            "Say what the cluster has not done yet, and what for", Why);

  auto [transfer, transfer_flags] = AddAdminSubcommand<Flags>(
      *cluster, chosen, "transfer", "Make another node lead a partition", Transfer);
  transfer->add_option("TOPIC", transfer_flags->topic, "The topic")->required();
  transfer->add_option("PARTITION", transfer_flags->partition, "The partition")
      ->required()
      ->check(CLI::NonNegativeNumber);
  transfer
      ->add_option("--to", transfer_flags->node,
                   "Number or name of the node that is to lead; one is chosen without it")
      ->type_name("NODE");

  AddNodeCommand(*cluster, chosen, "drain",
                 "Move everything away from a node, which is removed when it is empty",
                 &Admin::DrainNode, "draining",
                 "is being drained; `cairn cluster why` shows what is left to do");
  AddNodeCommand(*cluster, chosen, "resume", "Take a drain back", &Admin::ResumeNode, "resumed",
                 "takes replicas again");
  AddNodeCommand(*cluster, chosen, "remove", "Remove a node that holds nothing, for ever",
                 &Admin::RemoveNode, "removed", "was removed");
  AddGossipCommands(*cluster, chosen);
}

}  // namespace cairn::apps
