// Metadata for tests, made as it is made in life: by commands.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/command.h"
#include "cluster/metadata.h"

namespace cairn::cluster {

inline base::Uuid TestUuid(uint64_t n) { return base::Uuid::FromRandom(n, ~n); }

inline std::vector<NodeId> Ids(std::initializer_list<int32_t> ids) {
  std::vector<NodeId> nodes;
  for (const int32_t id : ids) nodes.emplace_back(id);
  return nodes;
}

// "a" for node 1, "b" for node 2, … "n27" behind "z".
inline std::string TestNodeName(int32_t id) {
  return id <= 26 ? std::string(1, static_cast<char>('a' + id - 1)) : "n" + std::to_string(id);
}

inline NodeDescription TestDescription(std::string name, std::string rack = "") {
  return {.name = name, .rpc_address = name + ":8400", .rack = std::move(rack), .version = "0.1.0"};
}

// Applies a command that must succeed.
inline CommandResult Do(Metadata& metadata, const Command& command) {
  auto result = Apply(metadata, command);
  EXPECT_TRUE(result.ok()) << Encode(command) << ": " << result.status();
  return result.value_or(CommandResult());
}

inline NodeId Join(Metadata& metadata, std::string rack = "") {
  const int32_t id = metadata.next_node.value();
  const NodeDescription node = TestDescription(TestNodeName(id), std::move(rack));
  const base::Uuid uuid = TestUuid(static_cast<uint64_t>(id));
  if (metadata.cluster_id.is_nil()) {
    return Do(metadata, InitCluster{TestUuid(1'000'000), uuid, node, {}, 1000}).node;
  }
  return Do(metadata, RegisterNode{.uuid = uuid, .node = node, .time_ms = 1000}).node;
}

// One node per rack given; "" is a node without a rack.
inline Metadata TestCluster(const std::vector<std::string>& racks) {
  Metadata metadata;
  for (const std::string& rack : racks) Join(metadata, rack);
  return metadata;
}
inline Metadata TestCluster(size_t nodes) { return TestCluster(std::vector<std::string>(nodes)); }

inline TopicNumber Create(Metadata& metadata, std::string name,
                          std::vector<std::vector<NodeId>> partitions, int32_t factor = 0) {
  CreateTopic create;
  create.name = std::move(name);
  create.id = TestUuid(2'000'000 + metadata.next_topic.value());
  create.replication_factor = factor;
  create.partitions = std::move(partitions);
  create.time_ms = 2000;
  return Do(metadata, create).topic;
}

}  // namespace cairn::cluster
