#include "gossip/wire/keyring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "base/strings.h"
#include "env/sim_random.h"
#include "gossip/wire/crc32.h"

namespace cairn::gossip {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kKey128(16, 'k');
const std::string kKey192(24, 'l');
const std::string kKey256(32, 'm');

TEST(KeyringTest, OpensWhatItSealsWithKeysOfEveryLength) {
  env::SimRandom random(1);
  for (const std::string& key : {kKey128, kKey192, kKey256}) {
    Keyring keyring;
    ASSERT_TRUE(keyring.Install(key).ok());
    const std::string sealed = keyring.Seal("attack at dawn", "label", random);
    EXPECT_EQ(sealed.size(), 14 + kSealOverheadBytes);
    EXPECT_EQ(keyring.Open(sealed, "label").value(), "attack at dawn");
    EXPECT_NE(sealed, keyring.Seal("attack at dawn", "label", random)) << "a nonce is used once";
  }
}

TEST(KeyringTest, RefusesWhatWasChangedAnywhere) {
  env::SimRandom random(1);
  Keyring keyring;
  ASSERT_TRUE(keyring.Install(kKey256).ok());
  const std::string sealed = keyring.Seal("attack at dawn", "label", random);
  EXPECT_TRUE(absl::IsUnauthenticated(keyring.Open(sealed, "other label").status()));
  for (size_t at = 0; at < sealed.size(); ++at) {
    std::string changed = sealed;
    changed[at] = static_cast<char>(changed[at] ^ 0x40);
    EXPECT_FALSE(keyring.Open(changed, "label").ok()) << at;
    EXPECT_FALSE(keyring.Open(sealed.substr(0, at), "label").ok()) << at;
  }
}

TEST(KeyringTest, KeysAreTriedInTurn) {
  env::SimRandom random(1);
  Keyring old_ring;
  ASSERT_TRUE(old_ring.Install(kKey128).ok());
  const std::string sealed = old_ring.Seal("x", "", random);
  Keyring ring;
  ASSERT_TRUE(ring.Install(kKey256).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(ring.Open(sealed, "").status()));
  ASSERT_TRUE(ring.Install(kKey128).ok());
  EXPECT_EQ(ring.Open(sealed, "").value(), "x");
  EXPECT_FALSE(old_ring.Open(ring.Seal("x", "", random), "").ok()) << "the primary key seals";
}

TEST(KeyringTest, KeysAreRotated) {
  Keyring ring;
  EXPECT_FALSE(ring.enabled());
  ASSERT_TRUE(ring.Install(kKey128).ok());
  ASSERT_TRUE(ring.Install(kKey192).ok());
  ASSERT_TRUE(ring.Install(kKey192).ok());
  EXPECT_THAT(ring.keys(), ElementsAre(kKey128, kKey192));
  EXPECT_TRUE(absl::IsFailedPrecondition(ring.Remove(kKey128)));
  EXPECT_TRUE(absl::IsNotFound(ring.Use(kKey256)));
  ASSERT_TRUE(ring.Use(kKey192).ok());
  EXPECT_THAT(ring.keys(), ElementsAre(kKey192, kKey128));
  ASSERT_TRUE(ring.Remove(kKey128).ok());
  EXPECT_TRUE(absl::IsNotFound(ring.Remove(kKey128)));
  EXPECT_THAT(ring.keys(), ElementsAre(kKey192));
}

TEST(KeyringTest, TheNumberAndLengthOfKeysAreBounded) {
  Keyring ring;
  EXPECT_TRUE(absl::IsInvalidArgument(ring.Install(std::string(17, 'x'))));
  for (size_t i = 0; i < Keyring::kMaxKeys; ++i) {
    ASSERT_TRUE(ring.Install(std::string(16, static_cast<char>('a' + i))).ok());
  }
  EXPECT_TRUE(absl::IsResourceExhausted(ring.Install(std::string(16, 'Z'))));
}

TEST(KeyringTest, KeysAreBase64) {
  const std::string text = FormatKey(kKey256);
  EXPECT_EQ(ParseKey(text).value(), kKey256);
  EXPECT_TRUE(absl::IsInvalidArgument(ParseKey("bm90IGEga2V5").status()));
  const absl::Status bad = ParseKey("!" + text).status();
  EXPECT_TRUE(absl::IsInvalidArgument(bad));
  EXPECT_THAT(std::string(bad.message()), Not(HasSubstr(text))) << "no error shows a key";
}

TEST(Crc32Test, IsTheOneOfGzip) { EXPECT_EQ(Crc32("123456789"), 0xcbf43926u); }

}  // namespace
}  // namespace cairn::gossip
