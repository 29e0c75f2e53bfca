#include "cluster/node.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>

#include "base/error_info.h"
#include "base/strings.h"
#include "consensus/peer_transport.h"
#include "env/event_loop.h"
#include "env/files.h"
#include "env/lmdb_store.h"
#include "env/posix.h"
#include "env/temporary_directory.h"
#include "log/records.h"

namespace cairn::cluster {
namespace {

using broker::kDefaultTopic;
using broker::Partition;
using broker::ProduceResult;
using broker::TopicInfo;
using broker::TopicSettingsChange;

std::string WhyNot(const absl::Status& status) {
  const auto info = base::GetErrorInfo(status);
  return info ? info->reason : std::string(base::StdView(status.message()));
}

log::Batch MakeBatch(std::vector<std::string> values) {
  log::BatchBuilder builder;
  for (const auto& value : values) builder.Add(std::nullopt, value, 1'000);
  return builder.Take();
}

// A cluster of one node on real files and threads.
class NodeTest : public ::testing::Test {
 protected:
  NodeTest() {
    for (int i = 0; i < 2; ++i) {
      loops_.push_back(std::make_unique<env::EventLoop>("shard"));
      loops_.push_back(std::make_unique<env::EventLoop>("disk"));
    }
    options_.data_dir = directory_.Join("data");
    Open();
  }
  ~NodeTest() override { Close(); }

  absl::StatusOr<std::unique_ptr<Node>> OpenNode(const broker::BrokerOptions& options) {
    Node::Dependencies dependencies;
    dependencies.fs = fs_.get();
    dependencies.clock = &env::SystemClock();
    dependencies.random = &env::SystemRandom();
    for (size_t i = 0; i < loops_.size(); i += 2) {
      dependencies.shards.push_back({loops_[i].get(), loops_[i + 1].get()});
    }
    dependencies.network = &network_;
    dependencies.dialer = &dialer_;
    dependencies.open_store = env::OpenLmdbStore;
    NodeOptions node;
    node.broker = options;
    node.description = {.name = "n", .rpc_address = "127.0.0.1:1", .rack = "", .version = "0"};
    return Node::Open(std::move(dependencies), std::move(node));
  }

  void Open() {
    auto broker = OpenNode(options_);
    ASSERT_TRUE(broker.ok()) << broker.status();
    broker_ = *std::move(broker);
    while (!broker_->Readiness().ok()) std::this_thread::yield();
  }
  void Close() {
    if (broker_ != nullptr) broker_->Stop();
    broker_.reset();
  }
  void Reopen() {
    Close();
    Open();
  }

  std::shared_ptr<Partition> Find(std::string_view topic = kDefaultTopic, int32_t partition = 0) {
    auto found = broker_->FindPartition(topic, PartitionId(partition));
    EXPECT_TRUE(found.ok()) << found.status();
    return *found;
  }

  static std::future<absl::StatusOr<ProduceResult>> Start(Partition& partition, log::Batch batch,
                                                          std::optional<Offset> expected = {}) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<ProduceResult>>>();
    auto future = promise->get_future();
    partition.Produce(std::move(batch), expected, [promise](absl::StatusOr<ProduceResult> result) {
      promise->set_value(std::move(result));
    });
    return future;
  }
  static absl::StatusOr<ProduceResult> Produce(Partition& partition, log::Batch batch,
                                               std::optional<Offset> expected = {}) {
    return Start(partition, std::move(batch), expected).get();
  }

  absl::StatusOr<TopicInfo> Create(std::string name, int32_t partitions = 1,
                                   TopicSettingsChange settings = {}) {
    std::promise<absl::StatusOr<TopicInfo>> promise;
    broker_->CreateTopic(
        std::move(name), partitions, 1, settings,
        [&](absl::StatusOr<TopicInfo> info) { promise.set_value(std::move(info)); });
    return promise.get_future().get();
  }
  absl::Status Delete(std::string name) {
    std::promise<absl::Status> promise;
    broker_->DeleteTopic(std::move(name),
                         [&](absl::Status status) { promise.set_value(std::move(status)); });
    return promise.get_future().get();
  }

  static std::vector<std::string> Values(Partition& partition, uint64_t from = 0) {
    std::vector<std::string> values;
    for (Offset at(from); at < partition.high_watermark();) {
      const auto fetched = partition.Fetch(at, 1 << 20);
      EXPECT_TRUE(fetched.ok()) << fetched.status();
      if (!fetched.ok()) break;
      for (const log::Entry& entry : fetched->entries) {
        std::string scratch;
        log::RecordsReader reader(*log::UncompressedRecords(entry, scratch), 0);
        log::RecordView record;
        while (*reader.Next(record)) values.emplace_back(*record.value);
        at = entry.header.end_offset();
      }
    }
    return values;
  }

  env::TemporaryDirectory directory_;
  std::unique_ptr<env::FileSystem> fs_ = env::NewPosixFileSystem();
  std::vector<std::unique_ptr<env::EventLoop>> loops_;
  env::EventLoop network_{"network"};
  consensus::PlainDialer dialer_{network_};
  broker::BrokerOptions options_;
  std::unique_ptr<Node> broker_;
};

TEST_F(NodeTest, WhatWasAcknowledgedIsReadInOrderAndSurvivesARestart) {
  auto partition = Find();
  std::vector<std::future<absl::StatusOr<ProduceResult>>> results;
  for (int i = 0; i < 100; ++i)
    results.push_back(Start(*partition, MakeBatch({"v" + std::to_string(i)})));
  for (size_t i = 0; i < results.size(); ++i) {
    const auto result = results[i].get();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->base_offset, Offset(i));
  }
  EXPECT_LT(broker_->stats().commit_groups, 100u);  // they were committed together
  partition.reset();
  Reopen();
  const auto values = Values(*Find());
  ASSERT_EQ(values.size(), 100u);
  EXPECT_EQ(values[42], "v42");
}

TEST_F(NodeTest, ExpectedOffsetAppendsOnlyAtThatOffset) {
  auto partition = Find();
  EXPECT_TRUE(Produce(*partition, MakeBatch({"a", "b"}), Offset(0)).ok());
  const auto refused = Produce(*partition, MakeBatch({"c"}), Offset(1));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::GetErrorInfo(refused.status())->metadata.at("actual_offset"), "2");
  EXPECT_TRUE(Produce(*partition, MakeBatch({"c"}), Offset(2)).ok());
  EXPECT_EQ(Values(*partition), (std::vector<std::string>{"a", "b", "c"}));
}

log::Batch Sequenced(int32_t sequence, std::string value, int16_t epoch = 0) {
  log::Batch batch = MakeBatch({std::move(value)});
  batch.producer_id = 7;
  batch.producer_epoch = epoch;
  batch.base_sequence = sequence;
  return batch;
}

TEST_F(NodeTest, ARetryIsStoredOnceAlsoAfterARestart) {
  for (const bool restart : {false, true}) {
    auto partition = Find();
    const int32_t base = restart ? 2 : 0;
    if (!restart) {
      EXPECT_TRUE(Produce(*partition, Sequenced(0, "a")).ok());
      EXPECT_TRUE(Produce(*partition, Sequenced(1, "b")).ok());
    }
    const auto again = Produce(*partition, Sequenced(1, "b"));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->base_offset, Offset(1));
    EXPECT_EQ(WhyNot(Produce(*partition, Sequenced(base + 5, "x")).status()),
              "OUT_OF_ORDER_SEQUENCE");
    partition.reset();
    if (!restart) Reopen();
  }
  auto partition = Find();
  EXPECT_TRUE(Produce(*partition, Sequenced(2, "c")).ok());
  EXPECT_TRUE(Produce(*partition, Sequenced(0, "d", 1)).ok());
  EXPECT_EQ(WhyNot(Produce(*partition, Sequenced(3, "x", 0)).status()), "STALE_PRODUCER_EPOCH");
  EXPECT_EQ(Values(*partition), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(NodeTest, ARetryThatOvertakesItsOriginalIsAnsweredWithIt) {
  auto partition = Find();
  auto first = Start(*partition, Sequenced(0, "a"));
  auto second = Start(*partition, Sequenced(0, "a"));
  EXPECT_FALSE(first.get()->duplicate);
  const auto again = second.get();
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->base_offset, Offset(0));
  EXPECT_EQ(partition->high_watermark(), Offset(1));
}

TEST_F(NodeTest, AnErrorAnswersItsOwnRequestInItsTurn) {
  auto partition = Find();
  std::vector<int> order;
  std::promise<void> all;
  for (int i = 0; i < 9; ++i) {
    log::Batch batch = i % 3 == 1 ? log::Batch{} : MakeBatch({"v"});
    partition->Produce(std::move(batch), std::nullopt,
                       [&, i](absl::StatusOr<ProduceResult> result) {
                         EXPECT_EQ(result.ok(), i % 3 != 1);
                         order.push_back(i);
                         if (i == 8) all.set_value();
                       });
  }
  all.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(partition->high_watermark(), Offset(6));
}

// What the sanitizers look for: a task that still knows a broker which has gone.
TEST_F(NodeTest, NoTaskOutlivesTheBrokerItKnows) {
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(Produce(*Find(), MakeBatch({"v"})).ok());
    Reopen();
  }
  EXPECT_EQ(Find()->high_watermark(), Offset(200));
}

TEST_F(NodeTest, AReaderAtTheTailIsWokenByTheNextCommit) {
  auto partition = Find();
  std::promise<absl::Status> woken;
  partition->WaitForData(Offset(0),
                         [&](absl::Status status) { woken.set_value(std::move(status)); });
  auto future = woken.get_future();
  EXPECT_TRUE(Produce(*partition, MakeBatch({"a"})).ok());
  EXPECT_TRUE(future.get().ok());
  std::promise<absl::Status> at_once;
  partition->WaitForData(Offset(0),
                         [&](absl::Status status) { at_once.set_value(std::move(status)); });
  EXPECT_TRUE(at_once.get_future().get().ok());
}

TEST_F(NodeTest, AWaitEndsWhenItIsCancelledOrTheTopicDeleted) {
  ASSERT_TRUE(Create("t").ok());
  auto partition = Find("t");
  std::promise<absl::Status> cancelled;
  const auto wait =
      partition->WaitForData(Offset(0), [&](absl::Status s) { cancelled.set_value(std::move(s)); });
  partition->CancelWait(wait);
  EXPECT_TRUE(absl::IsCancelled(cancelled.get_future().get()));
  std::promise<absl::Status> deleted;
  partition->WaitForData(Offset(0), [&](absl::Status s) { deleted.set_value(std::move(s)); });
  EXPECT_TRUE(Delete("t").ok());
  EXPECT_TRUE(absl::IsNotFound(deleted.get_future().get()));
  EXPECT_TRUE(absl::IsNotFound(Produce(*partition, MakeBatch({"x"})).status()));
}

TEST_F(NodeTest, FetchOutsideTheLogNamesTheValidRange) {
  auto partition = Find();
  EXPECT_TRUE(Produce(*partition, MakeBatch({"a"})).ok());
  const auto beyond = partition->Fetch(Offset(2), 100);
  EXPECT_EQ(beyond.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(base::GetErrorInfo(beyond.status())->metadata.at("high_watermark"), "1");
  EXPECT_TRUE(partition->Fetch(Offset(1), 100)->entries.empty());
}

TEST_F(NodeTest, TopicsAreCreatedAlteredDeletedAndSurviveARestart) {
  ASSERT_TRUE(Create("orders", 3, {.retention_bytes = 1000}).ok());
  EXPECT_EQ(WhyNot(Create("orders").status()), "TOPIC_EXISTS");
  EXPECT_TRUE(Produce(*Find("orders", 2), MakeBatch({"x"})).ok());
  ASSERT_TRUE(Create("gone").ok());
  ASSERT_TRUE(Delete("gone").ok());
  EXPECT_TRUE(Create("gone").ok());  // the name is free again
  EXPECT_EQ(Find("gone")->high_watermark(), Offset(0));
  std::promise<absl::StatusOr<TopicInfo>> altered;
  broker_->AlterTopic("orders", {.retention_bytes = {}, .retention_ms = 5000}, std::nullopt,
                      [&](absl::StatusOr<TopicInfo> info) { altered.set_value(std::move(info)); });
  EXPECT_TRUE(altered.get_future().get().ok());
  Reopen();
  const auto info = broker_->DescribeTopic("orders");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->partition_count, 3);
  EXPECT_EQ(info->settings.retention_bytes, 1000);
  EXPECT_EQ(info->settings.retention_ms, 5000);
  EXPECT_EQ(Values(*Find("orders", 2)), (std::vector<std::string>{"x"}));
  EXPECT_EQ(WhyNot(broker_->FindPartition("orders", PartitionId(3)).status()), "UNKNOWN_PARTITION");
  EXPECT_EQ(WhyNot(broker_->FindPartition("nope", PartitionId(0)).status()), "UNKNOWN_TOPIC");
  EXPECT_EQ(WhyNot(Delete("nope")), "UNKNOWN_TOPIC");
}

TEST_F(NodeTest, IllegalTopicNamesAreRefused) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("../x"),
        std::string("a\nb"), std::string("a\0b", 3), std::string(250, 'x'), std::string("~x"),
        std::string("größe")}) {
    EXPECT_EQ(WhyNot(Create(name).status()), "INVALID_TOPIC_NAME") << name;
  }
  EXPECT_TRUE(Create(std::string(249, 'x')).ok());
}

// A command that no node could read again once stopped the controller of the whole cluster.
TEST_F(NodeTest, ACommandThatCouldNotBeReadAgainIsRefused) {
  for (const int32_t node : {0, -1}) {
    SetNodeState command;
    command.node = NodeId(node);
    command.state = NodeState::kDraining;
    std::promise<absl::StatusCode> answered;
    broker_->RunCommand(command, [&](const absl::StatusOr<CommandResult>& result) {
      answered.set_value(result.status().code());
    });
    EXPECT_EQ(answered.get_future().get(), absl::StatusCode::kInvalidArgument) << node;
  }
  EXPECT_TRUE(Create("afterwards").ok());
}

TEST_F(NodeTest, RetentionRunsInTheBackground) {
  Close();
  options_.retention_interval_ms = 1;
  Open();
  ASSERT_TRUE(Create("small", 1, {.retention_bytes = 100'000, .segment_bytes = 65'536}).ok());
  auto partition = Find("small");
  while (partition->log_start() == Offset(0)) {
    ASSERT_TRUE(Produce(*partition, MakeBatch({std::string(10'000, 'x')})).ok());
  }
  const auto early = partition->Fetch(Offset(0), 1);
  EXPECT_EQ(early.status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(NodeTest, ADirectoryInUseOrOfSomethingElseIsRefused) {
  auto second = OpenNode(options_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition) << second.status();
  broker::BrokerOptions foreign = options_;
  foreign.data_dir = directory_.Join("home");
  ASSERT_TRUE(env::CreateDirs(*fs_, foreign.data_dir).ok());
  ASSERT_TRUE(env::ReplaceFile(*fs_, foreign.data_dir + "/thesis.txt", "x").ok());
  auto refused = OpenNode(foreign);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.status().ToString().find("thesis.txt"), std::string::npos);
}

TEST_F(NodeTest, ADamagedTopicLeavesTheOthersServing) {
  ASSERT_TRUE(Create("damaged").ok());
  Close();
  ASSERT_TRUE(
      env::ReplaceFile(*fs_, options_.data_dir + "/topics/damaged~2/0/log-start", "{}").ok());
  Open();
  EXPECT_TRUE(absl::IsDataLoss(Produce(*Find("damaged"), MakeBatch({"x"})).status()));
  EXPECT_TRUE(Produce(*Find(), MakeBatch({"x"})).ok());
  EXPECT_EQ(broker_->stats().failed_partitions, 1u);
}

// There is nobody to refetch it from, and nobody else who could lead.
TEST_F(NodeTest, ANodeAloneServesWhatIsIntactOfADamagedLogAndTakesMore) {
  for (const char* value : {"aaaa", "bbbb", "cccc"}) {
    ASSERT_TRUE(Produce(*Find(), MakeBatch({value})).ok());
  }
  Close();
  const std::string path = options_.data_dir + "/topics/default~1/0/00000000000000000000.store";
  std::string content = env::ReadFile(*fs_, path, 1 << 20).value();
  content[content.find("bbbb")] = 'x';
  ASSERT_TRUE(env::ReplaceFile(*fs_, path, content).ok());
  for (const bool known_before : {false, true}) {
    SCOPED_TRACE(known_before);
    Open();
    auto partition = Find();
    EXPECT_EQ(WhyNot(partition->Fetch(Offset(1), 1).status()), "DAMAGED_LOG");
    EXPECT_TRUE(partition->Fetch(Offset(0), 1).ok());
    EXPECT_TRUE(partition->Fetch(Offset(2), 1).ok());
    const auto more = Produce(*partition, MakeBatch({"more"}));
    EXPECT_TRUE(more.ok()) << more.status();
    // Also when it was looked for damage.
    std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
    EXPECT_TRUE(Produce(*partition, MakeBatch({"more"})).ok());
    partition.reset();
    Close();
  }
  Open();
}

TEST_F(NodeTest, ProducerIdsAreNeverGivenTwice) {
  const auto allocate = [this] {
    std::promise<absl::StatusOr<int64_t>> promise;
    broker_->AllocateProducerId(
        [&](absl::StatusOr<int64_t> id) { promise.set_value(std::move(id)); });
    return promise.get_future().get().value();
  };
  const int64_t first = allocate();
  const int64_t second = allocate();
  EXPECT_GT(second, first);
  Reopen();
  EXPECT_GT(allocate(), second);
}

TEST_F(NodeTest, MoreUnansweredBytesThanTheLimitAreRefused) {
  Close();
  options_.max_inflight_bytes = 1000;
  Open();
  const auto refused = Produce(*Find(), MakeBatch({std::string(2000, 'x')}));
  EXPECT_EQ(WhyNot(refused.status()), "OVERLOADED");
  EXPECT_TRUE(Produce(*Find(), MakeBatch({"x"})).ok());
}

}  // namespace
}  // namespace cairn::cluster
