// What nodes ask of each other beside Raft: the methods of PeerTransport's calls and their
// payloads. Control calls are JSON; produce requests have a codec of their own (produce_codec.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "base/uuid.h"
#include "cluster/command.h"
#include "consensus/configuration.h"

namespace cairn::cluster {

enum class PeerMethod : uint16_t {
  // A data directory without a number asks any member to be let in.
  kJoin = 1,
  // A command for the controller; whoever is asked passes it on.
  kCommand = 2,
  // ForwardedProduce, to the leader of the group.
  kProduce = 3,
  // "I lead these groups": no answer is expected.
  kLeads = 4,
  // "Am I still a member of this group?": answered by its leader alone.
  kMembers = 5,
  // What the sender knows of the groups it leads (group_report.h), to the controller.
  kReport = 6,
  // How the cluster is (cluster_report.h): answered by the controller alone.
  kExplain = 7,
  // TransferRequest, to the leader of the group: answered when the other one leads.
  kTransfer = 8,
  // EntriesRequest: committed entries of a group, from any replica that has them.
  kEntries = 9,
  // "My logs of these groups are damaged" (DamageReport); to all, while there are some.
  kDamage = 10,
  // Inquiry: what a node says of itself, for operators.
  kInquiry = 11,
  // "I am about to stop, do not give me the lead back": answered when it is taken in.
  kFarewell = 12,
};

// For clients: the error of a call to the controller that was not answered, because its node went
// away, as "there is no controller now": whoever was asked is there, and may be asked again. Other
// errors as they are.
absl::Status AsNoController(absl::Status unanswered);

struct JoinRequest {
  base::Uuid node_uuid;
  NodeDescription node;
};
struct JoinResponse {
  base::Uuid cluster_id;
  NodeId node;
};
std::string Encode(const JoinRequest& request);
absl::StatusOr<JoinRequest> DecodeJoinRequest(std::string_view text);
std::string Encode(const JoinResponse& response);
absl::StatusOr<JoinResponse> DecodeJoinResponse(std::string_view text);

// The answer to a command: what Apply gave, and the offset behind the command in group 0.
struct CommandResponse {
  CommandResult result;
  Offset applied;
};
std::string Encode(const CommandResponse& response);
absl::StatusOr<CommandResponse> DecodeCommandResponse(std::string_view text);

// Little-endian: group (8) and term (4) of each.
struct LedGroup {
  GroupId group;
  Term term;
};
std::string Encode(const std::vector<LedGroup>& groups);
absl::StatusOr<std::vector<LedGroup>> DecodeLedGroups(std::string_view bytes);

// Little-endian: group (8), node (4).
struct TransferRequest {
  GroupId group;
  NodeId to;
};
std::string Encode(const TransferRequest& request);
absl::StatusOr<TransferRequest> DecodeTransferRequest(std::string_view bytes);

// Which logs of a node are damaged, and what is done about it, in words. JSON.
using DamageReport = std::map<GroupId, std::string>;
inline constexpr size_t kMaxGroupsPerDamageReport = 100;  // more are told when these are repaired
inline constexpr size_t kMaxDamageTextBytes = 1000;       // what is longer is cut
std::string Encode(const DamageReport& report);
absl::StatusOr<DamageReport> DecodeDamageReport(std::string_view text);

// kInquiry: JSON, and back the answer as text.
struct Inquiry {
  enum class What : uint8_t {
    kMetrics,      // the text that Prometheus reads, of the metrics whose names begin with `names`
    kDiagnostics,  // a JSON object: build, process, configuration, health, its last log lines
  };
  What what = What::kMetrics;
  std::vector<std::string> names;  // of kMetrics; empty: all
};
inline constexpr size_t kMaxInquiryNames = 64;       // more than a client has columns
inline constexpr size_t kMaxInquiryNameBytes = 128;  // no metric's name is as long
// INVALID_ARGUMENT for names beyond the limits, or of other characters than metrics have.
absl::Status CheckInquiry(const Inquiry& inquiry);
std::string Encode(const Inquiry& inquiry);
absl::StatusOr<Inquiry> DecodeInquiry(std::string_view text);

// kMembers: the group (8).
std::string EncodeGroup(GroupId group);
absl::StatusOr<GroupId> DecodeGroup(std::string_view bytes);
// And back, of a leader that a majority has just confirmed: its term (4), what it knows as
// committed (8), and the committed configuration (Configuration::Encode).
struct GroupMembers {
  Term term;
  Index committed;
  consensus::Configuration configuration;
};
std::string Encode(const GroupMembers& members);
absl::StatusOr<GroupMembers> DecodeGroupMembers(std::string_view bytes);

}  // namespace cairn::cluster
