// Power cuts at every write of a node's life: topics come and go, batches are produced, retried
// and deleted by retention, the broker stops and starts. What clients were told stays true.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "base/malloc_tuning.h"
#include "cluster/node_model_testing.h"

namespace cairn::cluster {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kFaultSeeds = 30;
#else
constexpr uint64_t kFaultSeeds = 300;
#endif

// Scripts and their length. CAIRN_CRASH_SCRIPTS=1000 makes a long run of it.
int Scripts() {
  const char* scripts = std::getenv("CAIRN_CRASH_SCRIPTS");
  return scripts != nullptr ? std::atoi(scripts) : 60;
}
constexpr int kSteps = 40;
constexpr uint64_t kMinStates = 50'000;

class NodeScript {
 public:
  explicit NodeScript(uint64_t seed) : seed_(seed), fs_(seed), random_(seed) {
    TopicModel& model = model_[std::string(kDefaultTopic)];
    model.creating = true;
    model.info.partition_count = 1;
    model.info.settings.segment_bytes = broker::kMinTopicSegmentBytes;
    model.partitions.resize(1);
  }

  // The number of crash states looked at.
  uint64_t Run() {
    fs_.SetMutationHook([this](const env::SimCall& call) {
      call_ = "call " + std::to_string(call.number) + " of " + std::string(call.path);
      LookAtCrashes();
    });
    Start();
    for (int i = 0; i < kSteps && !::testing::Test::HasFailure(); ++i) Step();
    fs_.SetMutationHook(nullptr);
    return states_;
  }

  // The rest is for the tests of faults.
  env::SimFileSystem& fs() { return fs_; }
  env::SimKeyValueStore& store() { return store_; }
  SimBroker& broker() { return *broker_; }
  const Model& model() const { return model_; }
  uint64_t Below(uint64_t n) { return random_.Next() % n; }

  void Start() {
    broker_ = std::make_unique<SimBroker>(SimMachine{&fs_, &store_}, random_.Next(), wall_ms_);
    ASSERT_TRUE(broker_->status().ok()) << Where() << broker_->status();
    broker_->Run();
    Settle();
  }

  void Kill() {
    wall_ms_ = broker_->wall_ms();
    fs_.Kill();
    broker_.reset();
    Start();
  }

  void Restart() {
    broker_->Stop();
    wall_ms_ = broker_->wall_ms();
    broker_.reset();
    Start();
  }

  // Sends a batch; the broker has not seen it before the executor runs.
  std::shared_ptr<SentBatch> Send(const std::string& topic, int32_t partition, bool with_sequence) {
    TopicModel& topic_model = model_.at(topic);
    PartitionModel& model = topic_model.partitions[static_cast<size_t>(partition)];
    auto sent = std::make_shared<SentBatch>();
    sent->key = topic + "/" + std::to_string(partition) + "/" + std::to_string(next_key_++);
    log::BatchBuilder builder;
    const uint64_t records = 1 + Below(3);
    for (uint64_t r = 0; r < records; ++r) {
      builder.Add(sent->key, std::string(Below(4) == 0 ? Below(9'000) : Below(300), 'v'),
                  broker_->wall_ms());
    }
    sent->batch = builder.Take();
    if (with_sequence) {
      if (model.producer_id == log::kNoProducerId) {
        const auto id = broker_->AllocateProducerId();
        if (!id.ok()) return nullptr;  // only where the test planted a fault
        model.producer_id = *id;
        EXPECT_TRUE(producer_ids_.insert(model.producer_id).second)
            << Where() << "an id given twice";
      }
      sent->batch.producer_id = model.producer_id;
      sent->batch.producer_epoch = 0;
      sent->batch.base_sequence = model.next_sequence;
      model.next_sequence += static_cast<int32_t>(records);
    }
    model.sent.push_back(sent);
    Post(topic, partition, sent);
    return sent;
  }

  void Post(const std::string& topic, int32_t partition, const std::shared_ptr<SentBatch>& sent) {
    const auto found = (*broker_)->FindPartition(topic, PartitionId(partition));
    ASSERT_TRUE(found.ok()) << Where() << found.status();
    last_answer_ = absl::UnknownError("not answered");
    (*found)->Produce(
        sent->batch, std::nullopt, [this, sent](absl::StatusOr<ProduceResult> result) {
          last_answer_ = result.status();
          if (result.ok()) {
            if (sent->fate == SentBatch::Fate::kStored) {
              EXPECT_TRUE(result->duplicate) << Where() << sent->key;
              EXPECT_EQ(result->base_offset, sent->base_offset) << Where() << sent->key;
            }
            sent->fate = SentBatch::Fate::kStored;
            sent->base_offset = result->base_offset;
          } else if (!absl::IsUnavailable(result.status()) &&
                     sent->fate == SentBatch::Fate::kUnknown) {
            sent->fate = SentBatch::Fate::kRefused;
          }
        });
  }

  const absl::Status& last_answer() const { return last_answer_; }

  // After a start what was found is durable, and what was not found never comes back.
  void Settle() {
    for (auto it = model_.begin(); it != model_.end();) {
      TopicModel& topic = it->second;
      const auto info = (*broker_)->DescribeTopic(it->first);
      if (!info.ok() && (topic.creating || topic.deleting)) {
        it = model_.erase(it);
        continue;
      }
      ASSERT_TRUE(info.ok()) << Where() << info.status();
      if (topic.creating) topic.info.id = info->id;
      topic.creating = topic.deleting = false;
      if (topic.altering && info->settings == *topic.altering) topic.info.settings = info->settings;
      topic.altering.reset();
      ++it;
    }
    ASSERT_EQ(Compare(*broker_, model_, false), "") << Where();
    for (auto& [name, topic] : model_) {
      for (size_t i = 0; i < topic.partitions.size(); ++i) {
        PartitionModel& model = topic.partitions[i];
        const auto partition =
            (*broker_)->FindPartition(name, PartitionId(static_cast<int32_t>(i)));
        std::map<std::string, Offset> found;
        const auto stored = ReadAll(**partition);
        for (const StoredBatch& batch : *stored) found[batch.key] = batch.base_offset;
        for (const auto& sent : model.sent) {
          if (sent->fate != SentBatch::Fate::kUnknown) continue;
          const auto it = found.find(sent->key);
          sent->fate = it != found.end() ? SentBatch::Fate::kStored : SentBatch::Fate::kRefused;
          if (it != found.end()) sent->base_offset = it->second;
        }
        RenumberProducer(model);
      }
    }
  }

  std::string Where() const { return "seed " + std::to_string(seed_) + ", before " + call_ + ": "; }

 private:
  // A producer whose batches did not all arrive begins anew, with an id of its own.
  static void RenumberProducer(PartitionModel& model) {
    for (const auto& sent : model.sent) {
      if (sent->batch.producer_id == model.producer_id && sent->fate == SentBatch::Fate::kRefused) {
        model.producer_id = log::kNoProducerId;
        model.next_sequence = 0;
        return;
      }
    }
  }

  void Step() {
    switch (Below(16)) {
      case 0:
        return Create();
      case 1:
        return Delete();
      case 2:
        return Alter();
      case 3:
        return broker_->executor().RunFor(31'000'000'000);  // retention comes round
      case 4:
        return Restart();
      case 5:
        return Kill();
      case 6:
        return Retry();
      default:
        return ProduceSome();
    }
  }

  std::string AnyTopic() {
    auto it = model_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(Below(model_.size())));
    return it->first;
  }

  int32_t AnyPartition(const std::string& topic) {
    return static_cast<int32_t>(Below(model_.at(topic).partitions.size()));
  }

  void ProduceSome() {
    for (uint64_t i = 1 + Below(6); i > 0; --i) {
      const std::string topic = AnyTopic();
      Send(topic, AnyPartition(topic), Below(2) == 0);
      if (Below(3) == 0) broker_->executor().RunOne();
    }
    if (Below(8) == 0) return;  // the next step comes before the answers
    broker_->Run();
  }

  void Retry() {
    const std::string topic = AnyTopic();
    const int32_t partition = AnyPartition(topic);
    const auto& sent = model_.at(topic).partitions[static_cast<size_t>(partition)].sent;
    const auto first =
        (*broker_)->FindPartition(topic, PartitionId(partition)).value()->log_start();
    if (sent.empty() || sent.back()->batch.producer_id == log::kNoProducerId) return;
    if (sent.back()->fate != SentBatch::Fate::kStored || sent.back()->base_offset < first) return;
    Post(topic, partition, sent.back());
    broker_->Run();
  }

  void Create() {
    if (model_.size() > 3) return;
    const std::string name = "t" + std::to_string(Below(3));
    broker_->Run();
    if (model_.contains(name)) return;
    TopicModel& topic = model_[name];
    topic.creating = true;
    topic.info.partition_count = 1 + static_cast<int32_t>(Below(2));
    topic.partitions.resize(static_cast<size_t>(topic.info.partition_count));
    TopicSettingsChange change;
    change.retention_bytes = Below(2) == 0 ? 70'000 : -1;
    topic.info.settings.segment_bytes = broker::kMinTopicSegmentBytes;
    topic.info.settings.retention_bytes = *change.retention_bytes;
    (*broker_)->CreateTopic(name, topic.info.partition_count, 1, change,
                            [&](absl::StatusOr<TopicInfo> info) {
                              ASSERT_TRUE(info.ok()) << Where() << info.status();
                              topic.info = *info;
                              topic.creating = false;
                            });
    broker_->Run();
    EXPECT_FALSE(topic.creating) << Where();
  }

  void Delete() {
    const std::string name = AnyTopic();
    if (name == kDefaultTopic) return;
    broker_->Run();
    model_.at(name).deleting = true;
    (*broker_)->DeleteTopic(name, [&](const absl::Status& status) {
      ASSERT_TRUE(status.ok()) << Where() << status;
      model_.erase(name);
    });
    broker_->Run();
    EXPECT_FALSE(model_.contains(name)) << Where();
  }

  void Alter() {
    const std::string name = AnyTopic();
    TopicModel& topic = model_.at(name);
    TopicSettingsChange change;
    change.retention_bytes = 70'000 + static_cast<int64_t>(Below(100'000));
    topic.altering = broker::Apply(topic.info.settings, change);
    (*broker_)->AlterTopic(name, change, std::nullopt, [&](const absl::StatusOr<TopicInfo>& info) {
      ASSERT_TRUE(info.ok()) << Where() << info.status();
      topic.info.settings = info->settings;
      topic.altering.reset();
    });
    broker_->Run();
  }

  void LookAtCrashes() {
    Look(env::CrashChoice::DropAll());
    Look(env::CrashChoice::KeepAll());
    Look(env::CrashChoice::KeepLast());
    for (int i = 0; i < 2; ++i) Look(env::CrashChoice::Random(next_choice_++));
  }

  void Look(const env::CrashChoice& choice) {
    if (::testing::Test::HasFailure()) return;
    ++states_;
    const auto image = fs_.CrashImage(choice);
    const auto store = store_.Copy();
    SimBroker broker({image.get(), store.get()}, next_choice_, wall_ms_);
    const auto where = [&] {
      return Where() + "choice " + std::to_string(static_cast<int>(choice.kind)) + "/" +
             std::to_string(choice.seed) + ": ";
    };
    ASSERT_TRUE(broker.status().ok()) << where() << broker.status();
    ASSERT_EQ(Compare(broker, model_, states_ % 4 == 0), "") << where();
    if (states_ % 16 == 0) {
      const auto id = broker.AllocateProducerId();
      ASSERT_TRUE(id.ok()) << where() << id.status();
      ASSERT_FALSE(producer_ids_.contains(*id)) << where() << "a producer id given twice";
    }
  }

  const uint64_t seed_;
  env::SimFileSystem fs_;
  env::SimKeyValueStore store_;
  env::SimRandom random_;
  Model model_;
  std::unique_ptr<SimBroker> broker_;
  std::set<int64_t> producer_ids_;
  int64_t wall_ms_ = 1'780'000'000'000;
  uint64_t next_key_ = 0;
  absl::Status last_answer_;
  std::string call_;
  uint64_t next_choice_ = 0;
  uint64_t states_ = 0;
};

TEST(NodeCrashTest, WhatClientsWereToldIsTrueAfterAPowerCutAtEveryWrite) {
  base::TuneMalloc();
  uint64_t states = 0;
  for (int seed = 0; seed < Scripts() && !HasFailure(); ++seed) {
    states += NodeScript(static_cast<uint64_t>(seed)).Run();
  }
  std::printf("%lu crash states\n", static_cast<unsigned long>(states));
  if (!HasFailure() && std::getenv("CAIRN_CRASH_SCRIPTS") == nullptr) {
    EXPECT_GE(states, kMinStates);
  }
}

std::string ReasonIn(const absl::Status& status) {
  const auto info = base::GetErrorInfo(status);
  return info ? info->reason : status.ToString();
}

TEST(NodeFaultTest, AFullDiskRefusesWritesServesReadsAndRecoversWithoutARestart) {
  const std::string topic(kDefaultTopic);
  for (uint64_t seed = 0; seed < 40 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    NodeScript script(seed);
    script.Start();
    for (int round = 0; round < 3 && !HasFailure(); ++round) {
      script.fs().SetFreeBytes(1'000 + script.Below(300'000));
      int sent = 0;
      do {
        script.Send(topic, 0, false);
        script.broker().Run();
        ASSERT_LT(++sent, 2'000);
      } while (script.last_answer().ok());
      EXPECT_EQ(script.last_answer().code(), absl::StatusCode::kResourceExhausted)
          << script.last_answer();
      EXPECT_EQ(ReasonIn(script.last_answer()), "DISK_FULL");
      EXPECT_TRUE(script.broker()->stats().disk_full);
      ASSERT_EQ(Compare(script.broker(), script.model(), false), "");
      if (script.Below(3) == 0) script.Kill();  // it also starts on a full disk
      script.fs().SetFreeBytes(1 << 30);
      script.broker().executor().RunFor(1'000'000'000);  // it looks whether there is space
      script.Send(topic, 0, true);
      script.broker().Run();
      ASSERT_TRUE(script.last_answer().ok()) << script.last_answer();
      EXPECT_FALSE(script.broker()->stats().disk_full);
      ASSERT_EQ(Compare(script.broker(), script.model(), false), "");
    }
    for (uint64_t choice = 0; choice < 10; ++choice) {
      const auto image = script.fs().CrashImage(env::CrashChoice::Random(choice));
      const auto store = script.store().Copy();
      SimBroker broker({image.get(), store.get()}, 1, script.broker().wall_ms());
      ASSERT_TRUE(broker.status().ok()) << broker.status();
      ASSERT_EQ(Compare(broker, script.model(), true), "");
    }
    script.Restart();
  }
}

TEST(NodeFaultTest, AFailedSyncClosesThePartitionUntilItWasOpenedAgainFromTheDisk) {
  const std::string topic(kDefaultTopic);
  for (uint64_t seed = 0; seed < kFaultSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    NodeScript script(seed);
    script.Start();
    for (uint64_t i = script.Below(30); i > 0; --i) script.Send(topic, 0, script.Below(2) == 0);
    script.broker().Run();
    ASSERT_TRUE(script.last_answer().ok()) << script.last_answer();

    script.fs().FailNext(env::SimOp::kSync, "default~1", env::SimFault::kIoError,
                         1 + static_cast<int>(script.Below(2)));
    const auto failed = script.Send(topic, 0, true);
    const bool more = script.Below(2) == 0;
    const auto second = more ? script.Send(topic, 0, true) : failed;
    script.broker().Run();
    EXPECT_EQ(script.last_answer().code(), absl::StatusCode::kUnavailable) << script.last_answer();
    EXPECT_EQ(ReasonIn(script.last_answer()), "DISK_FAILED");
    ASSERT_EQ(Compare(script.broker(), script.model(), false), "");  // reads go on

    script.broker().executor().RunFor(
        10'000'000'000);  // longer than the pauses before it opens again
    ASSERT_EQ(Compare(script.broker(), script.model(), false), "");
    script.fs().ClearFaults();  // of two, the opening may not have met the second
    // The producer retries in order and each batch is stored once.
    script.Post(topic, 0, failed);
    if (more) script.Post(topic, 0, second);
    script.broker().Run();
    ASSERT_TRUE(script.last_answer().ok()) << script.last_answer();
    ASSERT_EQ(failed->fate, SentBatch::Fate::kStored);
    ASSERT_EQ(Compare(script.broker(), script.model(), false), "");
    for (uint64_t choice = 0; choice < 10; ++choice) {
      const auto image = script.fs().CrashImage(env::CrashChoice::Random(choice));
      const auto store = script.store().Copy();
      SimBroker broker({image.get(), store.get()}, 1, script.broker().wall_ms());
      ASSERT_TRUE(broker.status().ok()) << broker.status();
      ASSERT_EQ(Compare(broker, script.model(), true), "");
    }
    script.Kill();
  }
}

TEST(NodeFaultTest, NoFailingCallLosesMovesOrRepeatsWhatWasAcknowledged) {
  const std::string topic(kDefaultTopic);
  for (uint64_t seed = 0; seed < kFaultSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    NodeScript script(seed);
    script.Start();
    for (int step = 0; step < 40 && !HasFailure(); ++step) {
      constexpr std::array kFaults = {env::SimFault::kIoError, env::SimFault::kNoSpace,
                                      env::SimFault::kShortWrite};
      script.fs().FailCall(script.fs().call_count() + 1 + script.Below(10),
                           kFaults[script.Below(3)]);
      for (uint64_t i = script.Below(5); i > 0; --i) {
        script.Send(topic, 0, false);
        if (script.Below(2) == 0) script.broker().executor().RunOne();
      }
      // Now and then long enough for an opening or a round of retention.
      script.broker().executor().RunFor(
          std::array<int64_t, 4>{0, 900'000'000, 2'000'000'000, 31'000'000'000}[script.Below(4)]);
      script.fs().ClearFaults();
      ASSERT_EQ(Compare(script.broker(), script.model(), false), "");
    }
    script.broker().executor().RunFor(60'000'000'000);
    script.Send(topic, 0, false);
    script.broker().Run();
    ASSERT_TRUE(script.last_answer().ok()) << script.last_answer();  // it healed
    const auto image = script.fs().CrashImage(env::CrashChoice::Random(seed));
    const auto store = script.store().Copy();
    SimBroker broker({image.get(), store.get()}, 1, script.broker().wall_ms());
    ASSERT_TRUE(broker.status().ok()) << broker.status();
    ASSERT_EQ(Compare(broker, script.model(), false), "");
    script.Kill();
  }
}

}  // namespace
}  // namespace cairn::cluster
