#include "cluster/peer_methods.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::cluster {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLedGroupBytes = 12;
constexpr size_t kGroupBytes = 8;
constexpr size_t kTermBytes = 4;
// In the order of Inquiry::What.
constexpr std::array<std::string_view, 2> kWhats = {"metrics", "diagnostics"};

absl::Status MalformedCall(std::string_view what) {
  return absl::InvalidArgumentError(base::StrCat("a peer's call: ", what));
}

absl::StatusOr<Json> ParseObject(std::string_view text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return MalformedCall("not a JSON object");
  return json;
}

absl::StatusOr<std::string> Text(const Json& json, const char* key) {
  if (!json.contains(key) || !json[key].is_string()) {
    return MalformedCall(base::StrCat("no text \"", key, "\""));
  }
  return json[key].get<std::string>();
}

absl::StatusOr<int64_t> Number(const Json& json, const char* key) {
  if (!json.contains(key) || !json[key].is_number_integer()) {
    return MalformedCall(base::StrCat("no number \"", key, "\""));
  }
  return json[key].get<int64_t>();
}

absl::StatusOr<base::Uuid> Id(const Json& json, const char* key) {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, Text(json, key));
  return base::Uuid::Parse(text);
}

}  // namespace

std::string Encode(const JoinRequest& request) {
  return Json{{"node_uuid", request.node_uuid.ToString()},
              {"name", request.node.name},
              {"rpc_address", request.node.rpc_address},
              {"rack", request.node.rack},
              {"version", request.node.version}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<JoinRequest> DecodeJoinRequest(std::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(const Json json, ParseObject(text));
  JoinRequest request;
  CAIRN_ASSIGN_OR_RETURN(request.node_uuid, Id(json, "node_uuid"));
  CAIRN_ASSIGN_OR_RETURN(request.node.name, Text(json, "name"));
  CAIRN_ASSIGN_OR_RETURN(request.node.rpc_address, Text(json, "rpc_address"));
  CAIRN_ASSIGN_OR_RETURN(request.node.rack, Text(json, "rack"));
  CAIRN_ASSIGN_OR_RETURN(request.node.version, Text(json, "version"));
  return request;
}

std::string Encode(const JoinResponse& response) {
  return Json{{"cluster_id", response.cluster_id.ToString()}, {"node", response.node.value()}}
      .dump();
}

absl::StatusOr<JoinResponse> DecodeJoinResponse(std::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(const Json json, ParseObject(text));
  JoinResponse response;
  CAIRN_ASSIGN_OR_RETURN(response.cluster_id, Id(json, "cluster_id"));
  CAIRN_ASSIGN_OR_RETURN(const int64_t node, Number(json, "node"));
  if (node < 1 || node > INT32_MAX) return MalformedCall("\"node\" is no node id");
  response.node = NodeId(static_cast<int32_t>(node));
  return response;
}

std::string Encode(const CommandResponse& response) {
  return Json{{"node", response.result.node.value()},
              {"topic", response.result.topic.value()},
              {"producer_ids", response.result.producer_ids},
              {"policy_version", response.result.policy_version},
              {"applied", response.applied.value()}}
      .dump();
}

absl::StatusOr<CommandResponse> DecodeCommandResponse(std::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(const Json json, ParseObject(text));
  CommandResponse response;
  CAIRN_ASSIGN_OR_RETURN(const int64_t node, Number(json, "node"));
  CAIRN_ASSIGN_OR_RETURN(const int64_t topic, Number(json, "topic"));
  CAIRN_ASSIGN_OR_RETURN(response.result.producer_ids, Number(json, "producer_ids"));
  CAIRN_ASSIGN_OR_RETURN(const int64_t policy_version, Number(json, "policy_version"));
  CAIRN_ASSIGN_OR_RETURN(const int64_t applied, Number(json, "applied"));
  response.result.node = NodeId(static_cast<int32_t>(node));
  response.result.topic = TopicNumber(static_cast<uint64_t>(topic));
  response.result.policy_version = static_cast<uint64_t>(policy_version);
  response.applied = Offset(static_cast<uint64_t>(applied));
  return response;
}

std::string Encode(const std::vector<LedGroup>& groups) {
  std::string bytes(groups.size() * kLedGroupBytes, '\0');
  char* to = bytes.data();
  for (const LedGroup& led : groups) {
    base::StoreLittleEndian<uint64_t>(to, led.group.value());
    base::StoreLittleEndian<int32_t>(to + kGroupBytes, led.term.value());
    to += kLedGroupBytes;
  }
  return bytes;
}

absl::StatusOr<std::vector<LedGroup>> DecodeLedGroups(std::string_view bytes) {
  if (bytes.size() % kLedGroupBytes != 0) return MalformedCall("groups of a wrong size");
  std::vector<LedGroup> groups;
  for (; !bytes.empty(); bytes.remove_prefix(kLedGroupBytes)) {
    groups.push_back({GroupId(base::LoadLittleEndian<uint64_t>(bytes.data())),
                      Term(base::LoadLittleEndian<int32_t>(bytes.data() + kGroupBytes))});
  }
  return groups;
}

std::string Encode(const TransferRequest& request) {
  std::string bytes(kGroupBytes + sizeof(int32_t), '\0');
  base::StoreLittleEndian<uint64_t>(bytes.data(), request.group.value());
  base::StoreLittleEndian<int32_t>(bytes.data() + kGroupBytes, request.to.value());
  return bytes;
}

absl::StatusOr<TransferRequest> DecodeTransferRequest(std::string_view bytes) {
  if (bytes.size() != kGroupBytes + sizeof(int32_t))
    return MalformedCall("a transfer of a wrong size");
  return TransferRequest{GroupId(base::LoadLittleEndian<uint64_t>(bytes.data())),
                         NodeId(base::LoadLittleEndian<int32_t>(bytes.data() + kGroupBytes))};
}

std::string Encode(const DamageReport& report) {
  Json json = Json::array();
  for (const auto& [group, text] : report) {
    if (json.size() == kMaxGroupsPerDamageReport) break;
    json.push_back({{"group", group.value()}, {"text", text.substr(0, kMaxDamageTextBytes)}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<DamageReport> DecodeDamageReport(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array() || json.size() > kMaxGroupsPerDamageReport) {
    return MalformedCall("not an array of damaged logs");
  }
  DamageReport report;
  for (const Json& one : json) {
    if (!one.is_object()) return MalformedCall("a damaged log that is no object");
    CAIRN_ASSIGN_OR_RETURN(const int64_t group, Number(one, "group"));
    CAIRN_ASSIGN_OR_RETURN(std::string words, Text(one, "text"));
    if (group < 0 || words.size() > 3 * kMaxDamageTextBytes) return MalformedCall("no damaged log");
    report[GroupId(static_cast<uint64_t>(group))] = std::move(words);
  }
  return report;
}

absl::Status AsNoController(absl::Status unanswered) {
  if (!absl::IsUnavailable(unanswered) || base::GetErrorInfo(unanswered)) return unanswered;
  return base::MakeError(
      absl::StatusCode::kUnavailable,
      base::StrCat("the controller went away: ", base::StdView(unanswered.message())),
      base::reason::kNotLeader);
}

absl::Status CheckInquiry(const Inquiry& inquiry) {
  if (inquiry.names.size() > kMaxInquiryNames) {
    return absl::InvalidArgumentError(
        base::StrCat("more than ", kMaxInquiryNames, " names of metrics; leave them out for all"));
  }
  for (const std::string& name : inquiry.names) {
    const bool valid = std::all_of(name.begin(), name.end(), [](unsigned char letter) {
      return std::isalnum(letter) != 0 || letter == '_' || letter == ':';
    });
    if (name.empty() || name.size() > kMaxInquiryNameBytes || !valid) {
      return absl::InvalidArgumentError(base::StrCat("not the beginning of a metric's name: 1 to ",
                                                     kMaxInquiryNameBytes,
                                                     " letters, digits, '_' and ':' are expected"));
    }
  }
  return absl::OkStatus();
}

std::string Encode(const Inquiry& inquiry) {
  return Json{{"what", kWhats[static_cast<size_t>(inquiry.what)]}, {"names", inquiry.names}}.dump();
}

absl::StatusOr<Inquiry> DecodeInquiry(std::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(const Json json, ParseObject(text));
  CAIRN_ASSIGN_OR_RETURN(const std::string what, Text(json, "what"));
  const auto* found = std::find(kWhats.begin(), kWhats.end(), what);
  if (found == kWhats.end()) {
    return absl::UnimplementedError("this node does not know what it is asked about itself");
  }
  Inquiry inquiry;
  inquiry.what = static_cast<Inquiry::What>(found - kWhats.begin());
  if (!json.contains("names") || !json["names"].is_array())
    return MalformedCall("no array \"names\"");
  for (const Json& name : json["names"]) {
    if (!name.is_string() || inquiry.names.size() == kMaxInquiryNames + 1) {
      return MalformedCall("\"names\" are no names of metrics");
    }
    inquiry.names.push_back(name.get<std::string>());
  }
  CAIRN_RETURN_IF_ERROR(CheckInquiry(inquiry));
  return inquiry;
}

std::string EncodeGroup(GroupId group) {
  std::string bytes(kGroupBytes, '\0');
  base::StoreLittleEndian<uint64_t>(bytes.data(), group.value());
  return bytes;
}

absl::StatusOr<GroupId> DecodeGroup(std::string_view bytes) {
  if (bytes.size() != kGroupBytes) return MalformedCall("a group of a wrong size");
  return GroupId(base::LoadLittleEndian<uint64_t>(bytes.data()));
}

std::string Encode(const GroupMembers& members) {
  std::string bytes(kTermBytes + sizeof(uint64_t), '\0');
  base::StoreLittleEndian<int32_t>(bytes.data(), members.term.value());
  base::StoreLittleEndian<uint64_t>(bytes.data() + kTermBytes, members.committed.value());
  return bytes + members.configuration.Encode();
}

absl::StatusOr<GroupMembers> DecodeGroupMembers(std::string_view bytes) {
  if (bytes.size() < kTermBytes + sizeof(uint64_t)) return MalformedCall("members of a wrong size");
  GroupMembers members;
  members.term = Term(base::LoadLittleEndian<int32_t>(bytes.data()));
  members.committed = Index(base::LoadLittleEndian<uint64_t>(bytes.data() + kTermBytes));
  if (members.term < Term(1)) return MalformedCall("members of no term");
  CAIRN_ASSIGN_OR_RETURN(members.configuration, consensus::Configuration::Decode(
                                                    bytes.substr(kTermBytes + sizeof(uint64_t))));
  return members;
}

}  // namespace cairn::cluster
