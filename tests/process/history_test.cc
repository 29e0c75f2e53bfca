// The checker finds what it is there for: each fault is planted into a history that was right.

#include "process/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two producers in turn, all acknowledged, three replicas that hold the same.
class HistoryTest : public ::testing::Test {
 protected:
  HistoryTest() {
    ReplicaContent content;
    for (uint64_t i = 0; i < 20; ++i) {
      const int producer = static_cast<int>(i % 2);
      history_.Append(producer, i / 2);
      history_.Acknowledge(producer, i / 2, i);
      content.records.emplace_back(i, NumberedValue(producer, i / 2));
    }
    for (const char* name : {"n1", "n2", "n3"}) {
      content.name = name;
      replicas_.push_back(content);
    }
  }

  // The same change on every replica.
  template <typename Change>
  void Everywhere(Change change) {
    for (ReplicaContent& replica : replicas_) change(replica.records);
  }
  void ExpectFault(const std::string& text) {
    EXPECT_THAT(history_.Check(replicas_), Contains(HasSubstr(text)));
  }

  History history_;
  std::vector<ReplicaContent> replicas_;
};

TEST_F(HistoryTest, HasNothingToSayOfARightHistory) {
  history_.Read("n2", 7, NumberedValue(1, 3));
  EXPECT_THAT(history_.Check(replicas_), IsEmpty());
}

TEST_F(HistoryTest, TakesARecordThatWasStoredButNotAcknowledged) {
  history_.Append(0, 10);
  history_.Append(0, 11);
  Everywhere([](auto& records) { records.emplace_back(20, NumberedValue(0, 10)); });
  EXPECT_THAT(history_.Check(replicas_), IsEmpty());
}

TEST_F(HistoryTest, FindsALostRecordAtTheEnd) {
  Everywhere([](auto& records) { records.pop_back(); });
  ExpectFault("record 9 of producer 1, acknowledged at 19, is lost");
}

TEST_F(HistoryTest, FindsALostRecordInTheMiddle) {
  Everywhere([](auto& records) {
    records.erase(records.begin() + 4);
    for (size_t i = 4; i < records.size(); ++i) records[i].first = i;
  });
  ExpectFault("record 2 of producer 0, acknowledged at 4, is lost");
  ExpectFault("record 2 of producer 1 was acknowledged at 5 and stands at 4");
}

TEST_F(HistoryTest, FindsADoubledRecord) {
  Everywhere([](auto& records) { records.emplace_back(20, NumberedValue(1, 9)); });
  ExpectFault("record 9 of producer 1 is stored twice: at 19 and 20");
}

TEST_F(HistoryTest, FindsARecordOutOfItsProducersOrder) {
  history_.Append(0, 10);
  history_.Append(0, 11);
  Everywhere([](auto& records) {
    records.emplace_back(20, NumberedValue(0, 11));
    records.emplace_back(21, NumberedValue(0, 10));
  });
  ExpectFault("record 10 of producer 0 at offset 21 stands behind 11");
}

TEST_F(HistoryTest, FindsAnOrderThatContradictsTheAcknowledgements) {
  // Producer 0 sent its first record after producer 1 had been told of an offset behind it.
  History history;
  history.Append(1, 0);
  history.Acknowledge(1, 0, 1);
  history.Append(0, 0);
  history.Acknowledge(0, 0, 0);
  const ReplicaContent log{"n1", {{0, NumberedValue(0, 0)}, {1, NumberedValue(1, 0)}}};
  EXPECT_THAT(history.Check({log}), Contains(HasSubstr("before something was sent")));
}

TEST_F(HistoryTest, FindsAGapInTheOffsets) {
  Everywhere([](auto& records) {
    for (size_t i = 10; i < records.size(); ++i) ++records[i].first;
  });
  ExpectFault("n2: offset 11 follows where 10 should");
}

TEST_F(HistoryTest, FindsAReplicaThatDiffers) {
  replicas_[2].records[5].second = NumberedValue(1, 3);
  ExpectFault("offset 5 differs");
}

TEST_F(HistoryTest, FindsAReplicaThatIsShorter) {
  replicas_[1].records.pop_back();
  ExpectFault("n1 holds 20 records, n2 19");
}

TEST_F(HistoryTest, FindsADamagedRecord) {
  Everywhere([](auto& records) { records[3].second.back() = 'y'; });
  ExpectFault("which nobody produced");
}

TEST_F(HistoryTest, FindsARecordThatNobodySent) {
  Everywhere([](auto& records) { records.emplace_back(20, NumberedValue(0, 10)); });
  ExpectFault("which nobody produced");
}

TEST_F(HistoryTest, FindsAReadOfWhatWasLaterReplaced) {
  history_.Append(0, 10);
  history_.Read("n3", 5, NumberedValue(0, 10));
  ExpectFault("was read from n3 at 5, which now holds");
}

TEST_F(HistoryTest, FindsAReadOfWhatIsGone) {
  history_.Append(0, 10);
  history_.Read("n3", 20, NumberedValue(0, 10));
  ExpectFault("was read from n3 at 20, where nothing is now");
}

TEST_F(HistoryTest, FindsASecondAcknowledgementElsewhere) {
  history_.Acknowledge(0, 3, 17);
  ExpectFault("was acknowledged at 6 and again at 17");
}

TEST_F(HistoryTest, FindsThatNothingWasRead) { EXPECT_THAT(history_.Check({}), Not(IsEmpty())); }

}  // namespace
}  // namespace cairn::testing
