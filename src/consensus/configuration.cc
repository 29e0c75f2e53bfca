#include "consensus/configuration.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/strings.h"

namespace cairn::consensus {
namespace {

using base::LoadLittleEndian;
using base::StoreLittleEndian;

// version (1 byte) | member count (2) | per member, ascending: node (4), role (1). Little-endian.
constexpr char kVersion = 1;
constexpr size_t kHeaderBytes = 3;
constexpr size_t kMemberBytes = 5;
static_assert(kMaxMembers <= 0xffff, "the count has two bytes");

bool IsRole(uint8_t role) {
  return role == static_cast<uint8_t>(MemberRole::kVoter) ||
         role == static_cast<uint8_t>(MemberRole::kStandby);
}

bool ByNode(const Member& a, const Member& b) { return a.node < b.node; }

}  // namespace

Configuration::Configuration(std::vector<Member> members) : members_(std::move(members)) {
  std::sort(members_.begin(), members_.end(), ByNode);
  CAIRN_CHECK(members_.size() <= kMaxMembers, "a configuration has too many members");
  for (size_t i = 0; i < members_.size(); ++i) {
    CAIRN_CHECK(members_[i].node.value() > 0, "a member has no id");
    CAIRN_CHECK(i == 0 || members_[i - 1].node < members_[i].node, "a node is a member twice");
  }
}

Configuration Configuration::OfVoters(const std::vector<NodeId>& nodes) {
  std::vector<Member> members;
  members.reserve(nodes.size());
  for (const NodeId node : nodes) members.push_back({node, MemberRole::kVoter});
  return Configuration(std::move(members));
}

std::optional<MemberRole> Configuration::RoleOf(NodeId node) const {
  const auto found = std::lower_bound(members_.begin(), members_.end(), Member{node}, ByNode);
  if (found == members_.end() || found->node != node) return std::nullopt;
  return found->role;
}

size_t Configuration::voter_count() const {
  return static_cast<size_t>(
      std::count_if(members_.begin(), members_.end(),
                    [](const Member& member) { return member.role == MemberRole::kVoter; }));
}

Configuration Configuration::With(NodeId node, MemberRole role) const {
  std::vector<Member> members = Without(node).members_;
  members.push_back({node, role});
  return Configuration(std::move(members));
}

Configuration Configuration::Without(NodeId node) const {
  std::vector<Member> members = members_;
  std::erase_if(members, [node](const Member& member) { return member.node == node; });
  return Configuration(std::move(members));
}

std::string Configuration::Encode() const {
  std::string bytes(kHeaderBytes + kMemberBytes * members_.size(), '\0');
  char* to = bytes.data();
  *to = kVersion;
  StoreLittleEndian<uint16_t>(to + 1, static_cast<uint16_t>(members_.size()));
  to += kHeaderBytes;
  for (const Member& member : members_) {
    StoreLittleEndian<int32_t>(to, member.node.value());
    to[4] = static_cast<char>(member.role);
    to += kMemberBytes;
  }
  return bytes;
}

absl::StatusOr<Configuration> Configuration::Decode(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) {
    return absl::DataLossError(base::StrCat("configuration of ", bytes.size(), " bytes"));
  }
  if (bytes[0] != kVersion) {
    return absl::DataLossError(base::StrCat("configuration of unknown version ",
                                            static_cast<int>(static_cast<uint8_t>(bytes[0]))));
  }
  const size_t count = LoadLittleEndian<uint16_t>(bytes.data() + 1);
  if (count > kMaxMembers || bytes.size() != kHeaderBytes + kMemberBytes * count) {
    return absl::DataLossError(
        base::StrCat("configuration of ", count, " members in ", bytes.size(), " bytes"));
  }
  Configuration configuration;
  configuration.members_.reserve(count);
  const char* from = bytes.data() + kHeaderBytes;
  for (NodeId previous; from != bytes.data() + bytes.size(); from += kMemberBytes) {
    const NodeId node(LoadLittleEndian<int32_t>(from));
    const auto role = static_cast<uint8_t>(from[4]);
    // 0 is `previous` of the first member, so this also refuses ids that are not positive.
    if (node <= previous || !IsRole(role)) {
      return absl::DataLossError(base::StrCat("configuration with member ", node.value(),
                                              " of role ", static_cast<int>(role), " behind ",
                                              previous.value()));
    }
    configuration.members_.push_back({node, static_cast<MemberRole>(role)});
    previous = node;
  }
  return configuration;
}

std::string Configuration::ToString() const {
  std::string text;
  for (const Member& member : members_) {
    if (!text.empty()) text += ' ';
    text += std::to_string(member.node.value());
    if (member.role == MemberRole::kStandby) text += "(standby)";
  }
  return text;
}

}  // namespace cairn::consensus
