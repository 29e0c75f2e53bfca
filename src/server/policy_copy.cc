#include "server/policy_copy.h"

#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/validate.h"
#include "env/files.h"

namespace cairn::server {
namespace {

using OrderedJson = nlohmann::ordered_json;

// JSON writes a byte of a text as six at most.
constexpr uint64_t kMaxCopyBytes =
    6 * (cluster::kMaxAccessModelBytes + cluster::kMaxAccessPolicyBytes) + 1024;

bool IsCopy(const OrderedJson& json) {
  const auto has = [&](const char* key, OrderedJson::value_t type) {
    return json.contains(key) && json[key].type() == type;
  };
  return json.is_object() && has("version", OrderedJson::value_t::number_unsigned) &&
         has("model", OrderedJson::value_t::string) && has("policy", OrderedJson::value_t::string);
}

}  // namespace

absl::StatusOr<std::optional<cluster::AccessPolicy>> ReadPolicyCopy(env::FileSystem& fs,
                                                                    const std::string& path) {
  const auto text = env::ReadChecksummedFile(fs, path, kMaxCopyBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  CAIRN_RETURN_IF_ERROR(text.status());
  const OrderedJson json = OrderedJson::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!IsCopy(json)) {
    return absl::DataLossError(base::StrCat(
        path,
        ": no JSON object with version, model and policy; remove the file to start with the "
        "policy of --acl-policy-file until the cluster is heard"));
  }
  return cluster::AccessPolicy{
      .version = json["version"], .model = json["model"], .policy = json["policy"]};
}

absl::Status WritePolicyCopy(env::FileSystem& fs, const std::string& path,
                             const cluster::AccessPolicy& policy) {
  const OrderedJson json = {
      {"version", policy.version}, {"model", policy.model}, {"policy", policy.policy}};
  return env::ReplaceChecksummedFile(fs, path, json.dump(2) + "\n");
}

}  // namespace cairn::server
