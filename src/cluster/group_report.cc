#include "cluster/group_report.h"

#include <utility>

#include "base/bytes.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::cluster {
namespace {

enum : uint8_t { kMayChange = 1 };
enum : uint8_t { kReachable = 1, kDamaged = 2, kLagKnown = 4 };

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  absl::StatusOr<T> Take() {
    CAIRN_ASSIGN_OR_RETURN(const std::string_view bytes, TakeBytes(sizeof(T)));
    return base::LoadLittleEndian<T>(bytes.data());
  }
  absl::StatusOr<std::string_view> TakeBytes(size_t count) {
    if (rest_.size() < count) return absl::InvalidArgumentError("a report of groups ends early");
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

absl::StatusOr<MemberView> TakeMember(Reader& reader) {
  MemberView member;
  CAIRN_ASSIGN_OR_RETURN(const auto flags, reader.Take<uint8_t>());
  CAIRN_ASSIGN_OR_RETURN(member.reachable_for_ms, reader.Take<int64_t>());
  CAIRN_ASSIGN_OR_RETURN(const auto lag, reader.Take<uint64_t>());
  member.reachable = (flags & kReachable) != 0;
  member.damaged = (flags & kDamaged) != 0;
  if ((flags & kLagKnown) != 0) member.lag_entries = lag;
  return member;
}

absl::StatusOr<GroupView> TakeGroup(Reader& reader) {
  GroupView view;
  CAIRN_ASSIGN_OR_RETURN(const auto flags, reader.Take<uint8_t>());
  view.may_change = (flags & kMayChange) != 0;
  CAIRN_ASSIGN_OR_RETURN(const auto size, reader.Take<uint16_t>());
  CAIRN_ASSIGN_OR_RETURN(const auto bytes, reader.TakeBytes(size));
  CAIRN_ASSIGN_OR_RETURN(view.configuration, consensus::Configuration::Decode(bytes));
  CAIRN_ASSIGN_OR_RETURN(const auto count, reader.Take<uint16_t>());
  for (uint16_t i = 0; i < count; ++i) {
    CAIRN_ASSIGN_OR_RETURN(const auto node, reader.Take<int32_t>());
    CAIRN_ASSIGN_OR_RETURN(view.members[NodeId(node)], TakeMember(reader));
  }
  return view;
}

}  // namespace

std::string Encode(const GroupReport& report) {
  std::string bytes;
  for (const auto& [group, view] : report) {
    base::AppendLittleEndian<uint64_t>(bytes, group.value());
    base::AppendLittleEndian<uint8_t>(bytes, view.may_change ? kMayChange : 0);
    const std::string configuration = view.configuration.Encode();
    base::AppendLittleEndian(bytes, static_cast<uint16_t>(configuration.size()));
    bytes += configuration;
    base::AppendLittleEndian(bytes, static_cast<uint16_t>(view.members.size()));
    for (const auto& [node, member] : view.members) {
      base::AppendLittleEndian<int32_t>(bytes, node.value());
      base::AppendLittleEndian(bytes, static_cast<uint8_t>((member.reachable ? kReachable : 0) |
                                                           (member.damaged ? kDamaged : 0) |
                                                           (member.lag_entries ? kLagKnown : 0)));
      base::AppendLittleEndian<int64_t>(bytes, member.reachable_for_ms);
      base::AppendLittleEndian<uint64_t>(bytes, member.lag_entries.value_or(0));
    }
  }
  return bytes;
}

absl::StatusOr<GroupReport> DecodeGroupReport(std::string_view bytes) {
  GroupReport report;
  Reader reader(bytes);
  while (!reader.done()) {
    if (report.size() == kMaxGroupsPerReport) {
      return absl::InvalidArgumentError("a report of too many groups");
    }
    CAIRN_ASSIGN_OR_RETURN(const auto group, reader.Take<uint64_t>());
    CAIRN_ASSIGN_OR_RETURN(report[GroupId(group)], TakeGroup(reader));
  }
  return report;
}

}  // namespace cairn::cluster
