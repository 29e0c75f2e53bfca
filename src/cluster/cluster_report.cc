#include "cluster/cluster_report.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "cluster/json_fields.h"

namespace cairn::cluster {
namespace {

using consensus::Member;
using consensus::MemberRole;

Json MemberJson(NodeId node, const GroupView& view) {
  Json json = {{"node", node.value()},
               {"voter", view.configuration.IsVoter(node) ? 1 : 0},
               {"reachable", 0},
               {"damaged", 0}};
  const auto seen = view.members.find(node);
  if (seen == view.members.end()) return json;
  json["reachable"] = seen->second.reachable ? 1 : 0;
  json["damaged"] = seen->second.damaged ? 1 : 0;
  if (seen->second.lag_entries) json["lag"] = *seen->second.lag_entries;
  return json;
}

GroupView ReadGroup(FieldReader& fields, const char* members_key) {
  GroupView view;
  view.leader = fields.Node("leader");
  std::vector<Member> members;
  for (const auto& [element, path] : fields.Array(members_key, consensus::kMaxMembers)) {
    FieldReader member = fields.Element(*element, path);
    const NodeId node = member.Node("node");
    const bool votes = member.Integer("voter", 0, 1) == 1;
    if (view.members.contains(node)) member.Fail("node", "comes twice");
    if (!fields.ok()) return view;
    members.push_back({node, votes ? MemberRole::kVoter : MemberRole::kStandby});
    MemberView& seen = view.members[node];
    seen.reachable = member.Integer("reachable", 0, 1) == 1;
    seen.damaged = member.Integer("damaged", 0, 1) == 1;
    if (member.Has("lag")) {
      seen.lag_entries = static_cast<uint64_t>(member.Integer("lag", 0, INT64_MAX));
    }
    member.Finish();
  }
  if (fields.ok()) view.configuration = consensus::Configuration(std::move(members));
  return view;
}

}  // namespace

std::string Encode(const ClusterReport& report) {
  Json json = {{"controller", report.controller.value()},
               {"reachable", Json::array()},
               {"groups", Json::array()},
               {"waits", Json::array()}};
  for (const NodeId node : report.reachable) json["reachable"].push_back(node.value());
  for (const auto& [group, view] : report.groups) {
    Json members = Json::array();
    for (const Member& member : view.configuration.members()) {
      members.push_back(MemberJson(member.node, view));
    }
    json["groups"].push_back(
        {{"group", group.value()}, {"leader", view.leader.value()}, {"members", members}});
  }
  for (const Wait& wait : report.waits) {
    json["waits"].push_back({{"about", wait.about}, {"why", wait.why}});
  }
  return ToText(json);
}

absl::StatusOr<ClusterReport> DecodeClusterReport(std::string_view text) {
  auto json = ParseObject(text, "a report on the cluster");
  if (!json.ok()) return json.status();
  absl::Status status;
  ClusterReport report;
  FieldReader fields(*json, "", status);
  report.controller = fields.Node("controller");
  report.reachable = fields.Nodes("reachable");
  for (const auto& [element, path] : fields.Array("groups", kMaxGroupsInClusterReport)) {
    FieldReader group = fields.Element(*element, path);
    const auto number = static_cast<uint64_t>(group.Integer("group", 0, INT64_MAX));
    report.groups[GroupId(number)] = ReadGroup(group, "members");
    group.Finish();
  }
  for (const auto& [element, path] : fields.Array("waits", kMaxWaits + 1)) {
    FieldReader wait = fields.Element(*element, path);
    report.waits.push_back({.about = wait.Text("about"), .why = wait.Text("why")});
    wait.Finish();
  }
  fields.Finish();
  if (!status.ok()) return status;
  return report;
}

}  // namespace cairn::cluster
