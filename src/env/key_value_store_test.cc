#include "env/key_value_store.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "env/lmdb_store.h"
#include "env/sim_key_value_store.h"
#include "env/temporary_directory.h"

namespace cairn::env {
namespace {

using Change = KeyValueStore::Change;
using Pairs = std::map<std::string, std::string>;

Pairs All(const KeyValueStore& store, std::string_view prefix = "") {
  Pairs pairs;
  EXPECT_TRUE(store
                  .ForEach(prefix, [&](std::string_view key,
                                       std::string_view value) { pairs.emplace(key, value); })
                  .ok());
  return pairs;
}

// What holds for both.
class KeyValueStoreTest : public ::testing::TestWithParam<bool> {
 protected:
  KeyValueStoreTest() {
    if (GetParam()) {
      auto opened = OpenLmdbStore(directory_.path());
      EXPECT_TRUE(opened.ok()) << opened.status();
      store_ = *std::move(opened);
    } else {
      store_ = std::make_unique<SimKeyValueStore>();
    }
  }

  TemporaryDirectory directory_;
  std::unique_ptr<KeyValueStore> store_;
};

TEST_P(KeyValueStoreTest, AppliesChangesInOrder) {
  EXPECT_TRUE(All(*store_).empty());
  ASSERT_TRUE(store_->Apply(std::vector<Change>{{"a", "1"}, {"b", "2"}, {"a", "3"}}).ok());
  EXPECT_EQ(All(*store_), (Pairs{{"a", "3"}, {"b", "2"}}));
  ASSERT_TRUE(store_->Apply(std::vector<Change>{{"a", std::nullopt}, {"none", std::nullopt}}).ok());
  EXPECT_EQ(All(*store_), (Pairs{{"b", "2"}}));
}

TEST_P(KeyValueStoreTest, VisitsAPrefixInTheOrderOfTheKeys) {
  ASSERT_TRUE(
      store_->Apply(std::vector<Change>{{"g2", ""}, {"g1/b", "y"}, {"g1/a", "x"}, {"g", "z"}})
          .ok());
  std::vector<std::string> keys;
  ASSERT_TRUE(
      store_
          ->ForEach("g1/", [&](std::string_view key, std::string_view) { keys.emplace_back(key); })
          .ok());
  EXPECT_EQ(keys, (std::vector<std::string>{"g1/a", "g1/b"}));
}

TEST_P(KeyValueStoreTest, TakesChangesFromManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        EXPECT_TRUE(store_->Apply(std::vector<Change>{{key, "v"}}).ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(All(*store_).size(), 80u);
}

INSTANTIATE_TEST_SUITE_P(Both, KeyValueStoreTest, ::testing::Bool(),
                         [](const auto& p) { return p.param ? "Lmdb" : "Sim"; });

TEST(LmdbStoreTest, KeepsWhatWasAppliedWhenOpenedAgain) {
  TemporaryDirectory directory;
  ASSERT_TRUE((*OpenLmdbStore(directory.path()))->Apply(std::vector<Change>{{"k", "v"}}).ok());
  auto again = OpenLmdbStore(directory.path());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(All(**again), (Pairs{{"k", "v"}}));
}

TEST(LmdbStoreTest, RefusesAFileThatIsNoStore) {
  TemporaryDirectory directory;
  std::ofstream(directory.Join("data.mdb")) << std::string(8192, 'x');
  const auto opened = OpenLmdbStore(directory.path());
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss) << opened.status();
}

TEST(SimKeyValueStoreTest, AFailedApplyKeepsNothing) {
  SimKeyValueStore store;
  store.SetFailure(absl::InternalError("no disk"));
  EXPECT_FALSE(store.Apply(std::vector<Change>{{"k", "v"}}).ok());
  store.SetFailure(absl::OkStatus());
  EXPECT_TRUE(All(store).empty());
}

}  // namespace
}  // namespace cairn::env
