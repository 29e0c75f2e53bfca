#include "consensus/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cairn::consensus {
namespace {

using ::testing::ElementsAre;

Configuration Example() {
  return Configuration({{NodeId(70000), MemberRole::kVoter},
                        {NodeId(2), MemberRole::kStandby},
                        {NodeId(1), MemberRole::kVoter}});
}

TEST(ConfigurationTest, OrdersMembersByNode) {
  EXPECT_THAT(Example().members(), ElementsAre(Member{NodeId(1), MemberRole::kVoter},
                                               Member{NodeId(2), MemberRole::kStandby},
                                               Member{NodeId(70000), MemberRole::kVoter}));
  EXPECT_EQ(Example().ToString(), "1 2(standby) 70000");
}

TEST(ConfigurationTest, KnowsItsVoters) {
  EXPECT_EQ(Example().voter_count(), 2u);
  EXPECT_TRUE(Example().IsVoter(NodeId(70000)));
  EXPECT_FALSE(Example().IsVoter(NodeId(2)));
  EXPECT_TRUE(Example().Contains(NodeId(2)));
  EXPECT_FALSE(Example().Contains(NodeId(3)));
  EXPECT_FALSE(Example().IsSoleVoter(NodeId(1)));
  EXPECT_TRUE(Example().Without(NodeId(1)).IsSoleVoter(NodeId(70000)));
  EXPECT_FALSE(Configuration().IsSoleVoter(NodeId(1)));
}

TEST(ConfigurationTest, WithReplacesTheRole) {
  EXPECT_EQ(Example().With(NodeId(2), MemberRole::kVoter),
            Configuration::OfVoters({NodeId(1), NodeId(2), NodeId(70000)}));
  EXPECT_EQ(Example().With(NodeId(3), MemberRole::kStandby).ToString(),
            "1 2(standby) 3(standby) 70000");
}

TEST(ConfigurationTest, HasTheseBytes) {
  EXPECT_EQ(Example().Encode(), std::string("\x01\x03\x00"
                                            "\x01\x00\x00\x00\x01"
                                            "\x02\x00\x00\x00\x02"
                                            "\x70\x11\x01\x00\x01",
                                            18));
}

TEST(ConfigurationTest, DecodesWhatItEncodes) {
  for (const Configuration& each : {Configuration(), Example(), Example().Without(NodeId(2))}) {
    const auto decoded = Configuration::Decode(each.Encode());
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, each);
  }
}

// Whatever is accepted is what Encode would have written: an entry has one encoding, so that
// comparing bytes compares configurations.
TEST(ConfigurationTest, AcceptsNoOtherBytes) {
  const std::string good = Example().Encode();
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(Configuration::Decode(good.substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(Configuration::Decode(good + '\0').ok());
  size_t accepted = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(value);
      const auto decoded = Configuration::Decode(bytes);
      if (!decoded.ok()) {
        EXPECT_EQ(decoded.status().code(), absl::StatusCode::kDataLoss);
        continue;
      }
      ++accepted;
      EXPECT_EQ(decoded->Encode(), bytes);
    }
  }
  EXPECT_GT(accepted, good.size());
}

TEST(ConfigurationTest, RefusesTooManyMembersBeforeAllocating) {
  std::string bytes("\x01\xff\xff", 3);
  bytes.resize(3 + 5 * 0xffff);
  EXPECT_EQ(Configuration::Decode(bytes).status().code(), absl::StatusCode::kDataLoss);
}

TEST(ConfigurationDeathTest, ANodeIsAMemberOnce) {
  EXPECT_DEATH(Configuration::OfVoters({NodeId(1), NodeId(1)}), "twice");
  EXPECT_DEATH(Configuration::OfVoters({NodeId(0)}), "no id");
}

}  // namespace
}  // namespace cairn::consensus
