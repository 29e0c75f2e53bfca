// cairn debug bundle: everything that somebody needs who is to help, in one file.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "apps/admin_command.h"
#include "apps/archive_writer.h"
#include "apps/cluster_json.h"
#include "apps/command.h"
#include "apps/report.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cairn/admin.h"
#include "cairn/error.h"

namespace cairn::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  ClientFlags client;
  std::string file;
  bool force = false;
};

std::string Pretty(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// What was gathered, in memory: a file is only begun when there is something for it.
class Bundle {
 public:
  void Add(std::string name, std::string contents) {
    files_.emplace_back(std::move(name), std::move(contents));
  }
  void Miss(const std::string& name, const absl::Status& why) {
    Json row = {{"file", name}, {"why", std::string(base::StdView(why.message()))}};
    if (const std::string reason = ErrorReason(why); !reason.empty()) row["reason"] = reason;
    missing_.push_back(std::move(row));
  }
  // Adds what was got, or why it was not.
  template <typename Info>
  void AddJson(const std::string& name, const absl::StatusOr<Info>& info) {
    if (!info.ok()) return Miss(name, info.status());
    Add(name, Pretty(ToJson(*info)));
  }

  const std::vector<std::pair<std::string, std::string>>& files() const { return files_; }
  const Json& missing() const { return missing_; }

 private:
  std::vector<std::pair<std::string, std::string>> files_;
  Json missing_ = Json::array();
};

// Each part of what a node says of itself in a file of its own; the log as it was written.
void AddDiagnostics(Admin& admin, int32_t node, const std::string& folder, Bundle& bundle) {
  const std::string whole = folder + "/diagnostics.json";
  const auto text = admin.GetDiagnostics(node);
  if (!text.ok()) return bundle.Miss(whole, text.status());
  Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return bundle.Miss(whole, absl::InternalError("the node did not answer with an object"));
  }
  if (const auto log = json.find("log"); log != json.end() && log->is_string()) {
    bundle.Add(folder + "/log", log->get<std::string>());
    json.erase("log");
  }
  for (const char* part : {"config", "health"}) {
    const auto found = json.find(part);
    if (found == json.end()) continue;
    bundle.Add(base::StrCat(folder, "/", part, ".json"), Pretty(*found));
    json.erase(part);
  }
  bundle.Add(folder + "/node.json", Pretty(json));
}

// The nodes by the controller's word; without one by gossip's. None: whichever answers, 0.
std::set<int32_t> NodesOf(const absl::StatusOr<ClusterInfo>& cluster,
                          const absl::StatusOr<std::vector<MemberInfo>>& members) {
  std::set<int32_t> nodes;
  if (cluster.ok()) {
    for (const NodeInfo& node : cluster->nodes) nodes.insert(node.id);
  } else if (members.ok()) {
    for (const MemberInfo& member : *members) {
      const auto id = member.tags.find("id");
      int32_t node = 0;
      if (member.kind != "broker" || id == member.tags.end()) continue;
      if (absl::SimpleAtoi(id->second, &node) && node > 0) nodes.insert(node);
    }
  }
  if (nodes.empty()) nodes.insert(0);
  return nodes;
}

// `node` 0: whichever answers.
void AddNode(Admin& admin, int32_t node, Bundle& bundle) {
  const std::string folder = node == 0 ? "node-asked" : base::StrCat("node-", node);
  if (auto metrics = admin.GetMetrics(node); metrics.ok()) {
    bundle.Add(folder + "/metrics.prom", *std::move(metrics));
  } else {
    bundle.Miss(folder + "/metrics.prom", metrics.status());
  }
  AddDiagnostics(admin, node, folder, bundle);
}

// Errors: no broker answers at all.
absl::StatusOr<Bundle> Gather(Admin& admin) {
  Bundle bundle;
  const auto cluster = admin.DescribeCluster();
  // Without an answer of a broker there is nothing else to be had, either.
  if (absl::IsUnavailable(cluster.status()) && ErrorReason(cluster.status()).empty()) {
    return cluster.status();
  }
  bundle.AddJson("cluster-status.json", cluster);
  // Who cannot tell the one cannot tell the other, and would be waited for again.
  bundle.AddJson("cluster-why.json", cluster.ok() ? admin.ExplainCluster() : cluster.status());
  const auto members = admin.ListMembers();
  bundle.AddJson("gossip-members.json", members);
  bundle.AddJson("topics.json", admin.ListTopics());
  for (const int32_t node : NodesOf(cluster, members)) AddNode(admin, node, bundle);
  return bundle;
}

absl::Status Write(const Bundle& bundle, const Flags& flags, const std::string& file,
                   absl::Time now) {
  CAIRN_ASSIGN_OR_RETURN(auto archive,
                         ArchiveWriter::Create(file, flags.force ? ArchiveWriter::Existing::kReplace
                                                                 : ArchiveWriter::Existing::kKeep));
  Json manifest = {{"made_at", Rfc3339(absl::ToUnixMillis(now))},
                   {"made_by", "cairn " CAIRN_VERSION},
                   {"asked", flags.client.address},
                   {"files", Json::array()},
                   {"missing", bundle.missing()}};
  for (const auto& [name, contents] : bundle.files()) {
    manifest["files"].push_back({{"file", name}, {"bytes", contents.size()}});
  }
  const int64_t time_s = absl::ToUnixSeconds(now);
  CAIRN_RETURN_IF_ERROR(archive->Add("cairn-debug/manifest.json", Pretty(manifest), time_s));
  for (const auto& [name, contents] : bundle.files()) {
    CAIRN_RETURN_IF_ERROR(archive->Add("cairn-debug/" + name, contents, time_s));
  }
  return archive->Finish();
}

absl::Status MakeBundle(Admin& admin, const Flags& flags) {
  const absl::Time now = absl::Now();
  const std::string file =
      !flags.file.empty()
          ? flags.file
          : absl::FormatTime("cairn-debug-%Y%m%dT%H%M%SZ.tar.gz", now, absl::UTCTimeZone());
  CAIRN_ASSIGN_OR_RETURN(const Bundle bundle, Gather(admin));
  absl::Status written = Write(bundle, flags, file, now);
  if (absl::IsAlreadyExists(written)) {
    written = absl::AlreadyExistsError(
        base::StrCat(base::StdView(written.message()), "; --force replaces it"));
  }
  CAIRN_RETURN_IF_ERROR(written);
  if (flags.client.output == OutputFormat::kJson) {
    std::cout << Json{{"file", file},
                      {"files", bundle.files().size() + 1},
                      {"missing", bundle.missing()}}
                     .dump(-1, ' ', false, Json::error_handler_t::replace)
              << '\n';
    return absl::OkStatus();
  }
  std::cout << file << ": " << bundle.files().size() + 1 << " files\n";
  for (const Json& row : bundle.missing()) {
    std::cout << "  without " << row["file"].get<std::string>() << ": "
              << row["why"].get<std::string>() << '\n';
  }
  std::cout
      << "No keys and no records are in it; names of topics, nodes and clients, addresses and "
         "paths are: look through it before you give it away.\n";
  return absl::OkStatus();
}

}  // namespace

void AddDebugCommand(CLI::App& app, Chosen& chosen) {
  CLI::App* debug = app.add_subcommand("debug", "Find out what is wrong with a cluster");
  debug->require_subcommand(1);
  auto [bundle, flags] = AddAdminSubcommand<Flags>(
      *debug, chosen, "bundle",
      "Gather state, configuration without keys, health, metrics and the last log lines of every "
      "node in one archive (.tar.gz), for whoever is to help; what could not be had is in its "
      "manifest",
      MakeBundle);
  bundle
      ->add_option("--file", flags->file,
                   "The archive (default: cairn-debug-TIME.tar.gz in this directory)")
      ->type_name("FILE");
  bundle->add_flag("--force", flags->force, "Replace a file that is there");
}

}  // namespace cairn::apps
