// Where a scrape finds what a node knows: its partitions and their groups, the other nodes, gossip,
// connections, certificates and policies.
#pragma once

#include "cluster/membership.h"
#include "cluster/node.h"
#include "env/clock.h"
#include "rpc/consumer_positions.h"
#include "rpc/port_multiplexer.h"
#include "security/audit_log.h"
#include "server/logger.h"
#include "server/security_files.h"
#include "telemetry/samples.h"

namespace cairn::server {

// Each adds its metrics. The first two block for the loops of the shards and of the network, so
// they are not for those.
void AddNodeMetrics(telemetry::Samples& samples, cluster::Node& node,
                    const rpc::ConsumerLags& consumers);
void AddGossipMetrics(telemetry::Samples& samples, cluster::Membership& membership);
// `tls_refused`: connections whose handshake failed.
void AddConnectionMetrics(telemetry::Samples& samples, const rpc::MultiplexerCounters& counters,
                          uint64_t tls_refused);
// Without `audit` or TLS there are no metrics of theirs.
void AddSecurityMetrics(telemetry::Samples& samples, const SecurityFiles& files,
                        const security::AuditLog* audit);

void AddLogMetrics(telemetry::Samples& samples, const Logger& logger);

}  // namespace cairn::server
