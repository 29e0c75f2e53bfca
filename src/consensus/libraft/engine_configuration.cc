#include "consensus/libraft/engine_configuration.h"

#include <vector>

#include "base/check.h"

namespace cairn::consensus {

std::string EngineAddress(NodeId node) { return "n" + std::to_string(node.value()); }

raft_configuration ToEngine(const Configuration& configuration) {
  raft_configuration result;
  raft_configuration_init(&result);
  // Configuration keeps its members in the order of their ids, so all nodes have the same array:
  // the engine finds a server's progress by its position.
  for (const Member& member : configuration.members()) {
    const int error =
        raft_configuration_add(&result, ToEngineId(member.node), EngineAddress(member.node).c_str(),
                               member.role == MemberRole::kVoter ? RAFT_VOTER : RAFT_STANDBY);
    CAIRN_CHECK(error == 0, "out of memory in the engine");
  }
  return result;
}

Configuration FromEngine(const raft_configuration& configuration) {
  std::vector<Member> members;
  members.reserve(configuration.n);
  for (unsigned i = 0; i < configuration.n; ++i) {
    const raft_server& server = configuration.servers[i];
    members.push_back({FromEngineId(server.id),
                       server.role == RAFT_VOTER ? MemberRole::kVoter : MemberRole::kStandby});
  }
  return Configuration(std::move(members));
}

std::string EngineBytes(const Configuration& configuration) {
  raft_configuration native = ToEngine(configuration);
  raft_buffer buffer;
  const int error = raft_configuration_encode(&native, &buffer);
  raft_configuration_close(&native);
  CAIRN_CHECK(error == 0, "out of memory in the engine");
  std::string bytes(static_cast<const char*>(buffer.base), buffer.len);
  raft_free(buffer.base);
  return bytes;
}

}  // namespace cairn::consensus
