#include "rpc/client_hello.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "rpc/client_hello_testing.h"
#include "rpc/limits.h"

namespace cairn::rpc {
namespace {

using State = ClientHello::State;
using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::string_literals;

std::vector<std::string> RealHellos() {
  std::vector<std::string> hellos;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const char* host : {"", "node-1.example"}) {
      hellos.push_back(OpensslHello({.protocols = {}, .host = host, .version = version}));
      hellos.push_back(OpensslHello({.protocols = {"h2"}, .host = host, .version = version}));
      hellos.push_back(
          OpensslHello({.protocols = {"h2", "http/1.1"}, .host = host, .version = version}));
    }
  }
  return hellos;
}

// The handshake message of a hello in one record.
std::string MessageOf(const std::string& hello) { return hello.substr(5); }

// Every proper prefix asks for more than it has and no more than there is.
void ExpectTruncationsIncomplete(const std::string& hello) {
  for (size_t size = 0; size < hello.size(); ++size) {
    const ClientHello part = PeekClientHello(std::string_view(hello).substr(0, size));
    ASSERT_EQ(part.state, State::kIncomplete) << size << " bytes: " << part.why;
    ASSERT_GT(part.needed_bytes, size);
    ASSERT_LE(part.needed_bytes, hello.size()) << size << " bytes";
  }
}

std::string_view WhyMalformed(const HelloParts& parts) {
  const ClientHello hello = PeekClientHello(InRecords(parts.Message()));
  EXPECT_EQ(hello.state, State::kMalformed);
  return hello.why;
}

std::string_view WhyExtensionsMalformed(std::string extensions) {
  HelloParts parts;
  parts.extensions = std::move(extensions);
  return WhyMalformed(parts);
}

TEST(ClientHelloTest, ReadsWhatOpensslOffers) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const char* host : {"", "node-1.example"}) {
      const ClientHello none =
          PeekClientHello(OpensslHello({.protocols = {}, .host = host, .version = version}));
      EXPECT_EQ(none.state, State::kComplete) << none.why;
      EXPECT_THAT(none.protocols, IsEmpty());
      const ClientHello both = PeekClientHello(
          OpensslHello({.protocols = {"h2", "http/1.1"}, .host = host, .version = version}));
      EXPECT_EQ(both.state, State::kComplete) << both.why;
      EXPECT_THAT(both.protocols, ElementsAre("h2", "http/1.1"));
      EXPECT_TRUE(both.Offers("http/1.1"));
      EXPECT_FALSE(both.Offers("http/1.0"));
    }
  }
}

TEST(ClientHelloTest, AsksForMoreAtEveryTruncation) {
  for (const std::string& hello : RealHellos()) ExpectTruncationsIncomplete(hello);
  ExpectTruncationsIncomplete(HandMadeHello({}));
  ExpectTruncationsIncomplete(InRecords(HelloParts{}.Message()));
}

TEST(ClientHelloTest, JoinsRecordsOfEverySize) {
  const std::string message =
      MessageOf(OpensslHello({.protocols = {"h2", "http/1.1"}, .host = "node-1.example"}));
  for (size_t fragment = 1; fragment <= message.size(); ++fragment) {
    const std::string records = InRecords(message, fragment);
    const ClientHello hello = PeekClientHello(records);
    ASSERT_EQ(hello.state, State::kComplete) << fragment << ": " << hello.why;
    ASSERT_THAT(hello.protocols, ElementsAre("h2", "http/1.1")) << fragment;
  }
  for (const size_t fragment : {1, 2, 3, 4, 5, 44, 45, 46, 100}) {
    ExpectTruncationsIncomplete(InRecords(message, fragment));
  }
}

TEST(ClientHelloTest, IsCompleteAfterFewLooksHoweverSmallTheRecordsAre) {
  HelloParts parts;
  parts.extensions = TlsExtension(21, std::string(2600, '\0')) + AlpnExtension({"h2"});
  const std::string records = InRecords(parts.Message(), 1);
  ASSERT_GT(records.size(), kMaxClientHelloBytes - 1024);
  int looks = 1;
  ClientHello hello = PeekClientHello("");
  for (; hello.state == State::kIncomplete; ++looks) {
    hello = PeekClientHello(std::string_view(records).substr(0, hello.needed_bytes));
  }
  EXPECT_THAT(hello.protocols, ElementsAre("h2")) << hello.why;
  EXPECT_LT(looks, 60);
}

TEST(ClientHelloTest, DoesNotLookBehindTheHello) {
  const std::string hello = HandMadeHello({"h2"});
  for (const std::string& behind : {"x"s, "\x17\x03\x03\x00\x05 data"s, "\x16\x03\x03\x00\x00"s}) {
    EXPECT_THAT(PeekClientHello(hello + behind).protocols, ElementsAre("h2"));
  }
  EXPECT_THAT(PeekClientHello(hello + std::string(1 << 20, 'x')).protocols, ElementsAre("h2"));
}

TEST(ClientHelloTest, TakesAHelloWithoutExtensionsAndOnesWithNoneInThem) {
  HelloParts parts;
  EXPECT_EQ(PeekClientHello(InRecords(parts.Message())).state, State::kComplete);
  parts.extensions = "";
  EXPECT_EQ(PeekClientHello(InRecords(parts.Message())).state, State::kComplete);
  parts.extensions = TlsExtension(0, "");
  EXPECT_EQ(PeekClientHello(InRecords(parts.Message())).state, State::kComplete);
}

TEST(ClientHelloTest, RefusesRecordsThatAreNone) {
  const std::string hello = HandMadeHello({"h2"});
  EXPECT_EQ(PeekClientHello("G").why, "a record that is not of the handshake");
  EXPECT_EQ(PeekClientHello("\x16\x02").why, "a record of no version of TLS");
  EXPECT_EQ(PeekClientHello("\x16\x03\x01\x00\x00"s).why, "an empty record");
  EXPECT_EQ(PeekClientHello("\x16\x03\x01\x40\x01").why, "a record that is too long");
  EXPECT_EQ(PeekClientHello("\x16\x03\x01\xff\xff").why, "a record that is too long");
  EXPECT_EQ(PeekClientHello("\x16\x03\x01\x01\x01\x02").why, "not a ClientHello");
  // In the middle of a hello too.
  const std::string first = InRecords(MessageOf(hello).substr(0, 20));
  EXPECT_EQ(PeekClientHello(first + "\x15").why, "a record that is not of the handshake");
  EXPECT_EQ(PeekClientHello(first + "\x16\x03\x01\x00\x00"s).why, "an empty record");
}

TEST(ClientHelloTest, RefusesLengthsOfTheMessageThatCannotBe) {
  for (const size_t length : {size_t{0}, size_t{40}}) {
    const std::string message = "\x01" + TlsNumber(length, 3) + std::string(60, 'x');
    EXPECT_EQ(PeekClientHello(InRecords(message)).why, "too short") << length;
  }
  // The largest there can be is refused as soon as it is announced.
  EXPECT_EQ(PeekClientHello("\x16\x03\x01\x40\x00\x01\xff\xff\xff"s).why, "too large");
}

TEST(ClientHelloTest, TakesTheLargestHelloAndRefusesOneByteMore) {
  HelloParts parts;
  parts.extensions = AlpnExtension({"http/1.1"}) + TlsExtension(21, "");
  const size_t rest = kMaxClientHelloBytes - InRecords(parts.Message()).size();
  const std::string alpn = AlpnExtension({"http/1.1"});
  parts.extensions = alpn + TlsExtension(21, std::string(rest, '\0'));
  const std::string largest = InRecords(parts.Message());
  ASSERT_EQ(largest.size(), kMaxClientHelloBytes);
  EXPECT_THAT(PeekClientHello(largest).protocols, ElementsAre("http/1.1"));
  EXPECT_THAT(PeekClientHello(largest + "more").protocols, ElementsAre("http/1.1"));
  EXPECT_EQ(PeekClientHello(largest.substr(0, 9)).needed_bytes, kMaxClientHelloBytes);

  parts.extensions = alpn + TlsExtension(21, std::string(rest + 1, '\0'));
  const std::string too_large = InRecords(parts.Message());
  EXPECT_EQ(PeekClientHello(too_large).why, "too large");
  EXPECT_EQ(PeekClientHello(too_large.substr(0, 9)).why, "too large");
  // By the headers of its records alone.
  parts.extensions = TlsExtension(21, std::string(4000, '\0'));
  EXPECT_EQ(PeekClientHello(InRecords(parts.Message(), 1)).why, "too large");
}

TEST(ClientHelloTest, RefusesFieldsThatCannotBe) {
  EXPECT_EQ(WhyMalformed({.version = "\x02\x03"}), "not a version of TLS");
  EXPECT_EQ(WhyMalformed({.session_id = std::string(33, 's')}), "the session id is too long");
  EXPECT_EQ(WhyMalformed({.session_id = std::string(255, 's')}), "the session id is too long");
  EXPECT_EQ(WhyMalformed({.cipher_suites = "", .behind = "xx"}),
            "the list of cipher suites has no sense");
  EXPECT_EQ(WhyMalformed({.cipher_suites = "\x13\x01\x13"}),
            "the list of cipher suites has no sense");
  EXPECT_EQ(WhyMalformed({.compression_methods = "", .behind = "x"}), "no compression method");
  EXPECT_EQ(WhyMalformed({.behind = "x"}), "the extensions are not as long as they say");
  EXPECT_EQ(WhyMalformed({.extensions = "", .behind = "x"}),
            "the extensions are not as long as they say");
  EXPECT_EQ(WhyMalformed({.behind = "\xff\xff"}), "the extensions are not as long as they say");
  // The largest that each may have.
  HelloParts largest{.session_id = std::string(32, 's'),
                     .cipher_suites = std::string(8000, 'c'),
                     .compression_methods = std::string(255, 'm')};
  EXPECT_EQ(PeekClientHello(InRecords(largest.Message())).state, State::kComplete);
  // A list of cipher suites, then one of compression methods, that goes beyond the hello.
  std::string message = HelloParts{}.Message();
  message.replace(4 + 2 + 32 + 1, 2, "\xff\xff");
  EXPECT_EQ(PeekClientHello(InRecords(message)).why, "a field goes beyond the hello");
  message = HelloParts{}.Message();
  message[message.size() - 2] = '\xff';
  EXPECT_EQ(PeekClientHello(InRecords(message)).why, "a field goes beyond the hello");
}

TEST(ClientHelloTest, RefusesExtensionsThatCannotBe) {
  EXPECT_EQ(WhyExtensionsMalformed("x"), "an extension goes beyond the others");
  EXPECT_EQ(WhyExtensionsMalformed(TlsNumber(16, 2)), "an extension goes beyond the others");
  EXPECT_EQ(WhyExtensionsMalformed(TlsNumber(21, 2) + "\xff\xff"),
            "an extension goes beyond the others");
  EXPECT_EQ(WhyExtensionsMalformed(AlpnExtension({"h2"}) + AlpnExtension({"h2"})), "ALPN twice");

  const auto why_alpn = [](std::string_view data) {
    return WhyExtensionsMalformed(TlsExtension(16, data));
  };
  EXPECT_EQ(why_alpn(""), "ALPN has no list");
  EXPECT_EQ(why_alpn("x"), "ALPN has no list");
  EXPECT_EQ(why_alpn(TlsVector("", 2)), "ALPN has no list");
  EXPECT_EQ(why_alpn("\xff\xff\x02h2"), "ALPN has no list");
  EXPECT_EQ(why_alpn(TlsVector("\x02h2", 2) + "x"), "ALPN has no list");
  EXPECT_EQ(why_alpn(TlsVector(TlsVector("", 1), 2)), "an ALPN protocol without a name");
  EXPECT_EQ(why_alpn(TlsVector("\x03h2", 2)), "an ALPN protocol goes beyond its list");
  EXPECT_EQ(why_alpn(TlsVector("\xffh2", 2)), "an ALPN protocol goes beyond its list");
  const std::string longest(255, 'p');
  EXPECT_THAT(PeekClientHello(HandMadeHello({longest, "h2"})).protocols,
              ElementsAre(longest, "h2"));
}

TEST(ClientHelloTest, SurvivesRandomChanges) {
  std::mt19937 random(1);
  std::vector<std::string> hellos = RealHellos();
  for (const size_t fragment : {1, 7, 100}) {
    hellos.push_back(InRecords(MessageOf(hellos[0]), fragment));
  }
  for (int round = 0; round < 50'000; ++round) {
    std::string hello = hellos[random() % hellos.size()];
    for (uint32_t changes = random() % 4 + 1; changes > 0; --changes) {
      const size_t at = random() % hello.size();
      switch (random() % 4) {
        case 0:
          hello[at] = static_cast<char>(random());
          break;
        case 1:
          hello[at] = random() % 2 == 0 ? '\0' : '\xff';
          break;
        case 2:
          hello.resize(at + 1);
          break;
        default:
          hello.insert(at, 1, static_cast<char>(random()));
      }
    }
    const ClientHello seen = PeekClientHello(hello);
    if (seen.state == State::kIncomplete) {
      ASSERT_GT(seen.needed_bytes, hello.size());
      ASSERT_LE(seen.needed_bytes, kMaxClientHelloBytes);
    }
    ASSERT_EQ(seen.why.empty(), seen.state != State::kMalformed);
  }
}

}  // namespace
}  // namespace cairn::rpc
