// From what a node knows of its cluster to cairn.v1's messages.
#pragma once

#include <map>
#include <string>

#include "cairn/v1/admin.pb.h"
#include "cluster/cluster_report.h"
#include "cluster/metadata.h"
#include "cluster/node.h"

namespace cairn::rpc {

// Everything but `reachable` and `gossip`.
void WriteNode(const cluster::NodeInfo& node, v1::Node& to);

// The nodes, and who leads and should hold each partition, as `node` knows it. `topic` has its
// partitions already.
void WriteLeaders(const cluster::Node& node, v1::DescribeTopicResponse& to);

// `topic` "": all. `gossip` is what the node that answers hears.
void WriteCluster(const cluster::Metadata& metadata, const cluster::ClusterReport& report,
                  const std::map<NodeId, cluster::GossipObservation>& gossip,
                  const std::string& topic, v1::DescribeClusterResponse& to);

}  // namespace cairn::rpc
