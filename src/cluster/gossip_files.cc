#include "cluster/gossip_files.h"

#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "gossip/wire/keyring.h"

namespace cairn::cluster {
namespace {

// 16 keys of 44 characters, however they are laid out.
constexpr uint64_t kMaxKeyringBytes = 16 << 10;
// 20,000 members of at most 300 bytes.
constexpr uint64_t kMaxGossipSnapshotBytes = 8 << 20;

}  // namespace

absl::StatusOr<std::optional<std::vector<std::string>>> ReadKeyring(env::FileSystem& fs,
                                                                    const std::string& path) {
  const auto text = env::ReadFile(fs, path, kMaxKeyringBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  CAIRN_RETURN_IF_ERROR(text.status());
  const auto wrong = [&](std::string_view why) {
    return absl::InvalidArgumentError(
        base::StrCat("keyring file ", path, " ", why, "; expected a JSON array of 1 to ",
                     gossip::Keyring::kMaxKeys, " keys as `cairn cluster keygen` makes them"));
  };
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) return wrong("is no JSON array");
  if (json.empty() || json.size() > gossip::Keyring::kMaxKeys) {
    return wrong(base::StrCat("holds ", json.size(), " keys"));
  }
  std::vector<std::string> keys;
  for (const auto& element : json) {
    if (!element.is_string()) return wrong("holds something that is no string");
    auto key = gossip::ParseKey(element.get_ref<const std::string&>());
    if (!key.ok()) return wrong(base::StrCat("has a bad key in place ", keys.size() + 1));
    keys.push_back(*std::move(key));
  }
  return keys;
}

absl::Status WriteKeyring(env::FileSystem& fs, const std::string& path,
                          const std::vector<std::string>& keys) {
  nlohmann::json json = nlohmann::json::array();
  for (const std::string& key : keys) json.push_back(gossip::FormatKey(key));
  return env::ReplacePrivateFile(fs, path, json.dump(2) + "\n");
}

absl::StatusOr<std::optional<gossip::SerfSnapshot>> ReadGossipSnapshot(env::FileSystem& fs,
                                                                       const std::string& path) {
  const auto text = env::ReadChecksummedFile(fs, path, kMaxGossipSnapshotBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  CAIRN_RETURN_IF_ERROR(text.status());
  auto snapshot = gossip::DecodeSnapshot(*text);
  if (!snapshot.ok()) {
    return absl::DataLossError(
        base::StrCat(path, ": ", base::StdView(snapshot.status().message())));
  }
  return *std::move(snapshot);
}

absl::Status WriteGossipSnapshot(env::FileSystem& fs, const std::string& path,
                                 const std::string& encoded) {
  return env::ReplaceChecksummedFile(fs, path, encoded);
}

}  // namespace cairn::cluster
