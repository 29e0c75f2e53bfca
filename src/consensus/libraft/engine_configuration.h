// Configurations as the engine has them: only node ids and roles matter to it, but it wants an
// address for each, and entries in its own encoding.
#pragma once

#include <string>

#include "consensus/configuration.h"
#include "consensus/libraft/engine.h"

namespace cairn::consensus {

// What stands for a node's address within the engine; unique per node.
std::string EngineAddress(NodeId node);

// The caller owns the result: gives it to the engine, or to raft_configuration_close.
raft_configuration ToEngine(const Configuration& configuration);
Configuration FromEngine(const raft_configuration& configuration);

// In the engine's encoding.
std::string EngineBytes(const Configuration& configuration);

}  // namespace cairn::consensus
