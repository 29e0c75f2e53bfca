// The queries that nodes ask each other by themselves: about keys, and whose a name is.
#include <memory>
#include <utility>

#include "base/strings.h"
#include "gossip/serf/serf.h"

namespace cairn::gossip {
namespace {

constexpr std::string_view kPing = "_serf_ping";
constexpr std::string_view kConflict = "_serf_conflict";
constexpr std::string_view kInstallKey = "_serf_install-key";
constexpr std::string_view kUseKey = "_serf_use-key";
constexpr std::string_view kRemoveKey = "_serf_remove-key";
constexpr std::string_view kListKeys = "_serf_list-keys";

std::string_view NameOf(KeyOperation operation) {
  switch (operation) {
    case KeyOperation::kInstall:
      return kInstallKey;
    case KeyOperation::kUse:
      return kUseKey;
    case KeyOperation::kRemove:
      return kRemoveKey;
    case KeyOperation::kList:
      return kListKeys;
  }
  return "";
}

}  // namespace

void Serf::OnInternalQuery(const Query& query) {
  if (query.name == kPing) return;  // the acknowledgement says it all
  if (query.name == kConflict) {
    // The two that fight over a name have no say in it.
    const SerfMember* member = query.payload == config_.swim.name ? nullptr : Find(query.payload);
    if (member == nullptr) return;
    Answer(query, 0,
           Encode(ConflictResponse{member->name, member->address, member->tags,
                                   static_cast<uint8_t>(member->status)}));
    return;
  }
  AnswerKeyQuery(query, query.name);
}

void Serf::AnswerKeyQuery(const Query& query, std::string_view operation) {
  KeyResponse response;
  const absl::StatusOr<SerfMessage> decoded = DecodeSerf(query.payload);
  const auto* request = decoded.ok() ? std::get_if<KeyRequest>(&*decoded) : nullptr;
  absl::Status status;
  if (operation != kListKeys && operation != kInstallKey && operation != kUseKey &&
      operation != kRemoveKey) {
    return CountRefused();  // of a newer Serf
  }
  if (!envelope_.keyring.enabled()) {
    status = absl::FailedPreconditionError("no keyring to look at or change: encryption is off");
  } else if (operation == kListKeys) {
    for (const std::string& key : envelope_.keyring.keys()) {
      response.keys.push_back(FormatKey(key));
    }
    response.primary_key = response.keys.front();
  } else if (request == nullptr) {
    status = absl::InvalidArgumentError("the key request cannot be read");
  } else {
    status = operation == kInstallKey ? envelope_.keyring.Install(request->key)
             : operation == kUseKey   ? envelope_.keyring.Use(request->key)
                                      : envelope_.keyring.Remove(request->key);
    if (status.ok()) events_out_.push_back(KeyringChanged{});
  }
  response.ok = status.ok();
  response.message = base::StdView(status.message());
  Answer(query, 0, Encode(response));
}

absl::Status Serf::AskKeys(KeyOperation operation, const std::string& key,
                           absl::AnyInvocable<void(KeyResult)> done) {
  if (!envelope_.keyring.enabled()) {
    return absl::FailedPreconditionError("encryption is off: there are no keys");
  }
  if (operation != KeyOperation::kList && key.size() != 16 && key.size() != 24 &&
      key.size() != 32) {
    return absl::InvalidArgumentError("a key has 16, 24 or 32 bytes");
  }
  // Shared by the two callbacks.
  auto result = std::make_shared<KeyResult>();
  for (const auto& [name, member] : members_) {
    if (member.status == MemberStatus::kAlive) ++result->members;
  }
  QueryRequest request;
  request.name = NameOf(operation);
  request.payload = Encode(KeyRequest{operation == KeyOperation::kList ? "" : key});
  QueryCallbacks callbacks;
  callbacks.on_response = [result](const std::string& from, const std::string& payload) {
    ++result->answers;
    const absl::StatusOr<SerfMessage> decoded = DecodeSerf(payload);
    const auto* response = decoded.ok() ? std::get_if<KeyResponse>(&*decoded) : nullptr;
    if (response == nullptr || !response->ok) {
      ++result->errors;
      result->messages[from] = response ? response->message : "an answer that cannot be read";
      return;
    }
    for (const std::string& each : response->keys) ++result->keys[each];
    if (!response->primary_key.empty()) ++result->primary_keys[response->primary_key];
  };
  callbacks.on_done = [result, done = std::move(done)]() mutable { done(std::move(*result)); };
  return Ask(std::move(request), std::move(callbacks));
}

// Everybody else is asked whose the name is; the majority of those that answer decides.
void Serf::ResolveConflict(const Address& other) {
  if (std::exchange(resolving_conflict_, true)) return;
  struct Votes {
    size_t all = 0;
    size_t ours = 0;
  };
  auto votes = std::make_shared<Votes>();  // shared by the two callbacks
  QueryRequest request;
  request.name = kConflict;
  request.payload = config_.swim.name;
  QueryCallbacks callbacks;
  callbacks.on_response = [this, votes](const std::string&, const std::string& payload) {
    const absl::StatusOr<SerfMessage> decoded = DecodeSerf(payload);
    const auto* response = decoded.ok() ? std::get_if<ConflictResponse>(&*decoded) : nullptr;
    if (response == nullptr || response->name != config_.swim.name) return CountRefused();
    ++votes->all;
    if (response->address == config_.swim.address) ++votes->ours;
  };
  callbacks.on_done = [this, votes, other] {
    resolving_conflict_ = false;
    // When nobody else says anything, a forger may have named the other.
    if (votes->all > 0 && votes->ours < votes->all / 2 + 1) events_out_.push_back(NameLost{other});
  };
  if (!Ask(std::move(request), std::move(callbacks)).ok()) resolving_conflict_ = false;
}

}  // namespace cairn::gossip
