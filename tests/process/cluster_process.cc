#include "process/cluster_process.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iostream>
#include <set>

#include "apps/stored_log.h"
#include "base/crc32c.h"
#include "base/strings.h"
#include "env/posix.h"
#include "process/await.h"
#include "process/node_client.h"

namespace cairn::testing {
namespace {

constexpr size_t kReplicas = 3;  // of a partition, by default

// Calls `visit` with each intact entry of a log, in order, as far as it can be read.
void ForEachEntry(const std::string& directory,
                  const std::function<void(const log::EntryHeader&, const std::string&)>& visit) {
  const auto fs = env::NewPosixFileSystem();
  const auto logs = apps::FindStoredLogs(*fs, directory);
  if (!logs.ok()) return;
  for (const apps::StoredLog& stored : *logs) {
    for (const apps::StoredSegment& segment : stored.segments) {
      const auto store = apps::OpenStoreFile(*fs, segment.path);
      if (!store.ok()) return;
      log::StoreScanner scanner(*store->file, store->header, log::kStoreHeaderBytes,
                                store->size_bytes);
      while (true) {
        const auto step = scanner.Next();
        if (!step.ok() || step->kind == log::StoreScanner::Kind::kDamage) return;
        if (step->kind == log::StoreScanner::Kind::kEnd) break;
        const auto body = apps::ReadBody(*store->file, *step);
        if (!body.ok()) return;
        visit(step->header, *body);
      }
    }
  }
}

}  // namespace

ClusterProcess::ClusterProcess(ClusterOptions options) : options_(std::move(options)) {
  for (int i = 0; i < options_.nodes; ++i) {
    nodes_.push_back(std::make_unique<ServerProcess>(scratch_ / NameOf(static_cast<size_t>(i))));
  }
}

std::vector<std::string> ClusterProcess::FlagsOf(size_t node) const {
  std::vector<std::string> flags = {"--node-name", NameOf(node)};
  std::vector<std::string> others;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (i != node && !nodes_[i]->address().empty()) others.push_back(nodes_[i]->address());
  }
  if (!others.empty()) {
    flags.push_back("--start-join-addrs");
    std::string list;
    for (const std::string& other : others) list += (list.empty() ? "" : ",") + other;
    flags.push_back(list);
  }
  if (node < options_.flags.size()) {
    flags.insert(flags.end(), options_.flags[node].begin(), options_.flags[node].end());
  }
  return flags;
}

void ClusterProcess::Start() {
  for (size_t node = 0; node < nodes_.size(); ++node) ASSERT_NO_FATAL_FAILURE(Restart(node));
  ASSERT_NO_FATAL_FAILURE(AwaitVoters(kDefaultLog, std::min(kReplicas, nodes_.size())));
  // An even number does not vote: of four nodes three do.
  ASSERT_NO_FATAL_FAILURE(AwaitVoters(kControllerLog, kReplicas));
  AwaitLeader();
}

size_t ClusterProcess::AddNode(const std::vector<std::string>& flags) {
  const size_t node = nodes_.size();
  nodes_.push_back(std::make_unique<ServerProcess>(scratch_ / NameOf(node)));
  std::vector<std::string> all = FlagsOf(node);
  all.insert(all.end(), flags.begin(), flags.end());
  nodes_[node]->Start({}, all);
  return node;
}

void ClusterProcess::Pause(size_t node) {
  nodes_[node]->Signal(SIGSTOP);
  // The signal is on its way when kill() returns; the node is paused when its state says so.
  const std::string stat = base::StrCat("/proc/", nodes_[node]->pid(), "/stat");
  EXPECT_TRUE(Await([&] { return ReadWholeFile(stat).find(") T ") != std::string::npos; }));
}

void ClusterProcess::Terminate(size_t node) {
  nodes_[node]->Signal(SIGTERM);
  EXPECT_EQ(nodes_[node]->Wait(), 0) << NameOf(node) << ":\n" << nodes_[node]->events();
}

void ClusterProcess::Restart(size_t node) {
  nodes_[node]->Start(
      node < options_.prefixes.size() ? options_.prefixes[node] : std::vector<std::string>(),
      FlagsOf(node));
}

void ClusterProcess::Wipe(size_t node) { std::filesystem::remove_all(nodes_[node]->data_dir()); }

std::vector<std::string> ClusterProcess::addresses() const {
  std::vector<std::string> addresses;
  for (const auto& node : nodes_) addresses.push_back(node->address());
  return addresses;
}

std::optional<size_t> ClusterProcess::FindLeader(const std::vector<size_t>& without) {
  std::optional<size_t> leader;
  for (size_t node = 0; node < nodes_.size(); ++node) {
    if (std::find(without.begin(), without.end(), node) != without.end()) continue;
    if (!IsRunning(node)) continue;
    const auto servers = NodeClient(nodes_[node]->address()).Servers();
    if (!servers.ok()) continue;
    for (const logapi::v1::Server& server : *servers) {
      if (!server.is_leader() || server.id() != NameOf(node)) continue;
      if (leader) return {};
      leader = node;
    }
  }
  return leader;
}

size_t ClusterProcess::AwaitLeader(const std::vector<size_t>& without) {
  std::optional<size_t> leader;
  EXPECT_TRUE(Await([&] {
    leader = FindLeader(without);
    return leader.has_value();
  })) << "nobody leads, or two do";
  return leader.value_or(0);
}

consensus::Configuration ClusterProcess::ConfigurationOnDisk(size_t node, const std::string& log) {
  consensus::Configuration last;
  ForEachEntry(nodes_[node]->data_dir() + "/" + log,
               [&](const log::EntryHeader& header, const std::string& body) {
                 if (header.kind != log::EntryKind::kConfiguration) return;
                 if (auto read = consensus::Configuration::Decode(body); read.ok()) {
                   last = *std::move(read);
                 }
               });
  return last;
}

Term ClusterProcess::LastTermOnDisk(size_t node, const std::string& log) {
  Term last;
  ForEachEntry(nodes_[node]->data_dir() + "/" + log,
               [&](const log::EntryHeader& header, const std::string&) { last = header.term; });
  return last;
}

void ClusterProcess::AwaitVoters(const std::string& log, size_t voters) {
  std::string seen;
  ASSERT_TRUE(Await([&] {
    size_t agree = 0;
    seen.clear();
    for (size_t node = 0; node < nodes_.size(); ++node) {
      if (!IsRunning(node)) continue;
      const consensus::Configuration configuration = ConfigurationOnDisk(node, log);
      seen += base::StrCat(" ", NameOf(node), ":{", configuration.ToString(), "}");
      if (configuration.voter_count() == voters &&
          configuration.members().size() >= configuration.voter_count()) {
        ++agree;
      }
    }
    return agree >= voters;
  })) << log
      << " is to have " << voters << " voters:" << seen;
}

std::vector<ReplicaContent> ClusterProcess::ReadReplicas() {
  std::vector<ReplicaContent> replicas;
  const bool same = Await([&] {
    replicas.clear();
    std::set<size_t> sizes;
    for (size_t node = 0; node < nodes_.size(); ++node) {
      if (!IsRunning(node)) continue;
      auto content = NodeClient(nodes_[node]->address()).ReadAll(NameOf(node), "default");
      // A node of five may hold no replica; the hash of those that do is compared as well.
      if (!content.ok()) {
        if (nodes_.size() > kReplicas) continue;
        return false;
      }
      sizes.insert(content->records.size());
      replicas.push_back(*std::move(content));
    }
    return sizes.size() == 1 && replicas.size() >= std::min(kReplicas, nodes_.size());
  });
  EXPECT_TRUE(same) << "the replicas do not become equally long";
  return replicas;
}

uint64_t ClusterProcess::LastIndexOnDisk(size_t node, const std::string& log) {
  uint64_t last = 0;
  ForEachEntry(nodes_[node]->data_dir() + "/" + log,
               [&](const log::EntryHeader& header, const std::string&) {
                 last = static_cast<uint64_t>(header.index.value());
               });
  return last;
}

std::string ClusterProcess::DigestOnDisk(size_t node, const std::string& log, uint64_t end_index) {
  uint32_t crc = 0;
  size_t entries = 0;
  ForEachEntry(nodes_[node]->data_dir() + "/" + log,
               [&](log::EntryHeader header, const std::string& body) {
                 if (static_cast<uint64_t>(header.index.value()) >= end_index) return;
                 header.durable_bytes = 0;  // the one field that is a replica's own
                 char bytes[log::kEntryHeaderBytes];
                 log::EncodeEntryHeader(header, 0, bytes);
                 crc = base::ExtendCrc32c(crc, std::string_view(bytes, sizeof(bytes)));
                 crc = base::ExtendCrc32c(crc, body);
                 ++entries;
               });
  return base::StrCat(crc, " of ", entries, " entries");
}

void ClusterProcess::ExpectConsistent(const History& history) {
  for (const std::string& fault : history.Check(ReadReplicas())) ADD_FAILURE() << fault;
  std::vector<size_t> held;
  uint64_t end_index = UINT64_MAX;
  for (size_t node = 0; node < nodes_.size(); ++node) {
    if (!IsRunning(node)) continue;
    Terminate(node);
    const uint64_t last = LastIndexOnDisk(node, kDefaultLog);
    if (last == 0) continue;  // no replica
    held.push_back(node);
    // The nodes end one after the other, so those that end later may have begun another term.
    end_index = std::min(end_index, last + 1);
  }
  std::set<std::string> digests;
  for (const size_t node : held) digests.insert(DigestOnDisk(node, kDefaultLog, end_index));
  EXPECT_EQ(digests.size(), 1u) << ::testing::PrintToString(digests);
  if (::testing::Test::HasFailure()) {
    for (size_t node = 0; node < nodes_.size(); ++node) {
      std::cout << NameOf(node) << ":\n" << nodes_[node]->events();
    }
  }
  std::cout << history.acknowledged() << " records acknowledged, " << history.reads()
            << " read; every replica hashes to " << *digests.begin() << "\n";
}

}  // namespace cairn::testing
