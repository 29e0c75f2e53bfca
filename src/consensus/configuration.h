// The configuration of a Raft group: which nodes are members, and which of them count for the
// quorum. Travels in entries of kind configuration and in snapshots.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/types.h"

namespace cairn::consensus {

enum class MemberRole : uint8_t {
  kVoter = 1,    // counts for the quorum, may lead
  kStandby = 2,  // follows, and neither counts nor votes
};

struct Member {
  NodeId node;
  MemberRole role = MemberRole::kVoter;

  friend bool operator==(const Member&, const Member&) = default;
};

// More members than this are refused: every member is sent every entry.
inline constexpr size_t kMaxMembers = 1024;

// Members in the order of their node ids, each node at most once. A value.
class Configuration {
 public:
  Configuration() = default;
  // In any order. Checks (CAIRN_CHECK) that no node comes twice and every id is positive.
  explicit Configuration(std::vector<Member> members);
  static Configuration OfVoters(const std::vector<NodeId>& nodes);

  const std::vector<Member>& members() const& { return members_; }
  // Of a temporary by value, so that a range-for over it does not outlive them.
  std::vector<Member> members() && { return std::move(members_); }
  bool empty() const { return members_.empty(); }
  bool Contains(NodeId node) const { return RoleOf(node).has_value(); }
  std::optional<MemberRole> RoleOf(NodeId node) const;
  bool IsVoter(NodeId node) const { return RoleOf(node) == MemberRole::kVoter; }
  size_t voter_count() const;
  // `node` is the only voter.
  bool IsSoleVoter(NodeId node) const { return voter_count() == 1 && IsVoter(node); }

  // This configuration with `node` in `role`, or without it.
  Configuration With(NodeId node, MemberRole role) const;
  Configuration Without(NodeId node) const;

  // Bytes as they stand in an entry's body, and back. Errors of Decode: DATA_LOSS for anything that
  // Encode does not write.
  std::string Encode() const;
  static absl::StatusOr<Configuration> Decode(std::string_view bytes);

  // "1 2 3(standby)".
  std::string ToString() const;

  friend bool operator==(const Configuration&, const Configuration&) = default;

 private:
  std::vector<Member> members_;
};

}  // namespace cairn::consensus
