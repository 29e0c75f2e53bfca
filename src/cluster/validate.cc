#include "cluster/validate.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::cluster {
namespace {

absl::Status Wrong(std::string_view what, std::string_view value, std::string_view rule) {
  constexpr size_t kShownBytes = 64;
  return absl::InvalidArgumentError(
      base::StrCat("\"", absl::CHexEscape(std::string(value.substr(0, kShownBytes))), "\" is no ",
                   what, ": ", rule));
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

absl::Status ValidateName(std::string_view name) {
  const bool legal = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
  if (legal && !name.empty() && name.size() <= kMaxNodeNameBytes) return absl::OkStatus();
  return Wrong(
      "node name", name,
      base::StrCat("use 1 to ", kMaxNodeNameBytes, " of the letters, digits, '.', '_' and '-'"));
}

absl::Status ValidateAddress(std::string_view address) {
  const size_t colon = address.rfind(':');
  const bool shaped = colon != std::string_view::npos && colon > 0 && colon + 1 < address.size();
  if (shaped && address.size() <= kMaxAddressBytes && IsPrintable(address)) return absl::OkStatus();
  return Wrong("address", address, "expected HOST:PORT");
}

absl::Status ValidateText(std::string_view what, std::string_view text, size_t limit) {
  if (text.size() <= limit && IsPrintable(text)) return absl::OkStatus();
  return Wrong(what, text, base::StrCat("use at most ", limit, " printable ASCII characters"));
}

absl::Status CheckRange(std::string_view name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      base::StrCat(name, " is ", value, ", expected ", low, " to ", high));
}

}  // namespace

absl::Status ValidateDescription(const NodeDescription& description) {
  CAIRN_RETURN_IF_ERROR(ValidateName(description.name));
  CAIRN_RETURN_IF_ERROR(ValidateAddress(description.rpc_address));
  if (!description.gossip_address.empty()) {
    CAIRN_RETURN_IF_ERROR(ValidateAddress(description.gossip_address));
  }
  CAIRN_RETURN_IF_ERROR(ValidateText("rack", description.rack, kMaxRackBytes));
  return ValidateText("version", description.version, kMaxVersionBytes);
}

absl::Status ValidateClusterSettings(const ClusterSettings& settings) {
  CAIRN_RETURN_IF_ERROR(CheckRange("default_replication_factor",
                                   settings.default_replication_factor, 1, kMaxReplicationFactor));
  CAIRN_RETURN_IF_ERROR(CheckRange("grace_ms", settings.grace_ms, 1, kMaxGraceMs));
  CAIRN_RETURN_IF_ERROR(
      CheckRange("controller_voters", settings.controller_voters, 1, kMaxControllerVoters));
  if (settings.controller_voters % 2 == 0) {
    return absl::InvalidArgumentError(base::StrCat("controller_voters is ",
                                                   settings.controller_voters,
                                                   ", expected an odd number: an even one survives "
                                                   "no more failures than one less"));
  }
  return absl::OkStatus();
}

absl::Status ValidateAccessPolicy(const AccessPolicy& policy) {
  if (policy.model.empty()) return absl::InvalidArgumentError("the model of the policy is empty");
  if (policy.model.size() > kMaxAccessModelBytes || policy.policy.size() > kMaxAccessPolicyBytes) {
    return absl::InvalidArgumentError(base::StrCat(
        "a cluster keeps a model of up to ", kMaxAccessModelBytes, " bytes and a policy of up to ",
        kMaxAccessPolicyBytes, ", not ", policy.model.size(), " and ", policy.policy.size(),
        "; larger ones can be files of each node"));
  }
  return absl::OkStatus();
}

absl::Status ValidateFactor(const Metadata& metadata, int32_t factor) {
  if (factor < 0 || factor > kMaxReplicationFactor) {
    return absl::InvalidArgumentError(base::StrCat("replication factor ", factor,
                                                   " is not possible: use 1 to ",
                                                   kMaxReplicationFactor, ", or 0 for automatic"));
  }
  const size_t active = metadata.node_count(NodeState::kActive);
  if (factor <= static_cast<int32_t>(active)) return absl::OkStatus();
  return absl::InvalidArgumentError(base::StrCat("replication factor ", factor,
                                                 " needs as many brokers; there ",
                                                 active == 1 ? "is " : "are ", active));
}

absl::Status ValidateReplicas(const Metadata& metadata, std::span<const NodeId> replicas) {
  if (replicas.empty() || replicas.size() > static_cast<size_t>(kMaxReplicationFactor)) {
    return absl::InvalidArgumentError(base::StrCat("a partition has 1 to ", kMaxReplicationFactor,
                                                   " replicas, not ", replicas.size()));
  }
  for (size_t i = 0; i < replicas.size(); ++i) {
    const NodeInfo* node = metadata.FindNode(replicas[i]);
    if (node == nullptr || !node->is_member()) {
      return absl::InvalidArgumentError(base::StrCat("replica on node ", replicas[i].value(),
                                                     ", which is ",
                                                     node == nullptr ? "unknown" : "removed"));
    }
    if (std::find(replicas.begin(), replicas.begin() + static_cast<std::ptrdiff_t>(i),
                  replicas[i]) != replicas.begin() + static_cast<std::ptrdiff_t>(i)) {
      return absl::InvalidArgumentError(
          base::StrCat("two replicas of a partition on node ", replicas[i].value()));
    }
  }
  return absl::OkStatus();
}

}  // namespace cairn::cluster
