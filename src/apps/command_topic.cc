// cairn topic create|list|describe|alter|delete

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/admin_command.h"
#include "apps/cluster_json.h"
#include "apps/command.h"
#include "apps/report.h"
#include "base/strings.h"
#include "cairn/admin.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  ClientFlags client;
  NewTopic topic;
  std::optional<int32_t> replication_factor = {};  // of alter
};

void AddSettings(CLI::App& command, TopicSettings& settings) {
  const auto add = [&](const char* name, std::optional<int64_t>& value, const char* what) {
    command.add_option(name, value, what)->type_name("N");
  };
  add("--retention-bytes", settings.retention_bytes,
      "Delete the oldest segments of a partition beyond this size; -1 keeps all");
  add("--retention-ms", settings.retention_ms, "Delete segments older than this; -1 keeps all");
  add("--segment-bytes", settings.segment_bytes, "Begin a new segment file at this size");
  add("--segment-ms", settings.segment_ms, "Begin a new segment file at this age");
  add("--max-record-bytes", settings.max_record_bytes, "Refuse larger records");
  add("--max-batch-bytes", settings.max_batch_bytes, "Refuse larger batches");
}

std::string Limit(const std::optional<int64_t>& value, const char* unit) {
  if (!value) return "broker's default";
  if (*value < 0) return "keeps all";
  return WithCommas(static_cast<uint64_t>(*value)) + unit;
}

void PrintText(const TopicInfo& topic) {
  std::cout << topic.name << "\n  id                " << topic.id << "\n  created           "
            << Rfc3339(topic.created_ms) << "\n  partitions        " << topic.partition_count
            << "\n  replication       " << topic.replication_factor << "\n  retention         "
            << Limit(topic.settings.retention_bytes, " bytes") << ", "
            << Limit(topic.settings.retention_ms, " ms") << "\n  segments          "
            << Limit(topic.settings.segment_bytes, " bytes") << ", "
            << Limit(topic.settings.segment_ms, " ms") << "\n  largest record    "
            << Limit(topic.settings.max_record_bytes, " bytes") << "\n  largest batch     "
            << Limit(topic.settings.max_batch_bytes, " bytes") << '\n';
  for (const PartitionInfo& partition : topic.partitions) {
    std::cout << "  partition " << partition.partition << ": offsets [" << partition.log_start
              << ", " << partition.high_watermark << ")";
    if (partition.leader != 0) std::cout << "  leader " << partition.leader;
    if (!partition.replicas.empty()) {
      std::cout << "  replicas";
      for (const int32_t node : partition.replicas) std::cout << ' ' << node;
    }
    if (!partition.error.empty()) std::cout << "  NOT SERVING: " << partition.error;
    std::cout << '\n';
  }
}

void Print(const TopicInfo& topic, OutputFormat output) {
  if (output == OutputFormat::kJson) {
    std::cout << ToJson(topic).dump() << '\n';
  } else {
    PrintText(topic);
  }
}

void PrintList(const std::vector<TopicInfo>& topics, OutputFormat output) {
  if (output == OutputFormat::kJson) {
    std::cout << ToJson(topics).dump() << '\n';
    return;
  }
  for (const TopicInfo& topic : topics) {
    std::cout << topic.name << "  " << topic.partition_count
              << (topic.partition_count == 1 ? " partition\n" : " partitions\n");
  }
}

absl::Status PrintOr(const absl::StatusOr<TopicInfo>& topic, OutputFormat output) {
  if (topic.ok()) Print(*topic, output);
  return topic.status();
}

}  // namespace

void AddTopicCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* topic = app.add_subcommand("topic", "Create, show, change and delete topics");
  topic->require_subcommand(1);

  auto [create, create_flags] = AddAdminSubcommand<Flags>(
      *topic, chosen, "create", "Create a topic", [](Admin& admin, const Flags& flags) {
        return PrintOr(admin.CreateTopic(flags.topic), flags.client.output);
      });
  create->add_option("NAME", create_flags->topic.name, "The new topic")->required();
  create->add_option("--partitions", create_flags->topic.partition_count, "How many partitions")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000));
  create
      ->add_option("--replication-factor", create_flags->topic.replication_factor,
                   "How many copies of each partition")
      ->type_name("N")
      ->check(CLI::Range(1, 100));
  AddSettings(*create, create_flags->topic.settings);

  AddAdminSubcommand<Flags>(*topic, chosen, "list", "List the topics",
                            [](Admin& admin, const Flags& flags) {
                              const auto topics = admin.ListTopics();
                              if (topics.ok()) PrintList(*topics, flags.client.output);
                              return topics.status();
                            });

  auto [describe, describe_flags] = AddAdminSubcommand<Flags>(
      *topic, chosen, "describe", "Show a topic's settings and partitions",
      [](Admin& admin, const Flags& flags) {
        return PrintOr(admin.DescribeTopic(flags.topic.name), flags.client.output);
      });
  describe->add_option("NAME", describe_flags->topic.name, "The topic")->required();

  auto [alter, alter_flags] = AddAdminSubcommand<Flags>(
      *topic, chosen, "alter", "Change a topic's settings", [](Admin& admin, const Flags& flags) {
        return PrintOr(
            admin.AlterTopic(flags.topic.name, flags.topic.settings, flags.replication_factor),
            flags.client.output);
      });
  alter->add_option("NAME", alter_flags->topic.name, "The topic")->required();
  alter
      ->add_option("--replication-factor", alter_flags->replication_factor,
                   "How many copies of each partition; 0 means the cluster's default")
      ->type_name("N")
      ->check(CLI::Range(0, 7));
  AddSettings(*alter, alter_flags->topic.settings);

  auto [remove, delete_flags] = AddAdminSubcommand<Flags>(
      *topic, chosen, "delete", "Delete a topic and its records",
      [](Admin& admin, const Flags& flags) {
        const absl::Status status = admin.DeleteTopic(flags.topic.name);
        if (status.ok()) {
          if (flags.client.output == OutputFormat::kJson) {
            std::cout << Json{{"deleted", flags.topic.name}}.dump() << '\n';
          } else {
            std::cout << "deleted " << flags.topic.name << '\n';
          }
        }
        return status;
      });
  remove->add_option("NAME", delete_flags->topic.name, "The topic")->required();
}

}  // namespace cairn::apps
