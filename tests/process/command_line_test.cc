// The commands of the cairn program against a real server: results, formats, exit codes, pipes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "process/server_process.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.Start();
    setenv("CAIRN_ADDR", server_.address().c_str(), 1);
  }
  void TearDown() override { unsetenv("CAIRN_ADDR"); }

  // Runs a command that has to succeed; returns what it printed.
  static std::string Run(std::vector<std::string> arguments, const std::string& input = "") {
    const auto done = RunCommand(Cairn(std::move(arguments)), input);
    EXPECT_EQ(done.exit_code, 0) << done.err;
    return done.out;
  }

  const ScratchDir scratch_;
  ServerProcess server_{scratch_ / "data"};
};

TEST_F(CommandLineTest, GivesATextBackAsItWas) {
  const std::string text = "one\n\nthree, the second is empty\nlast\n";
  Run({"topic", "create", "t"});
  EXPECT_THAT(Run({"produce", "t"}, text), HasSubstr("produced 4 records"));
  EXPECT_EQ(Run({"consume", "t"}), text);
}

TEST_F(CommandLineTest, GivesRawBlocksBackAsTheyWere) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += static_cast<char>(i * i >> 3);
  Run({"topic", "create", "t"});
  EXPECT_THAT(Run({"produce", "t", "--raw", "4096"}, bytes), HasSubstr("produced 25 records"));
  EXPECT_EQ(Run({"consume", "t", "--format", "raw"}), bytes);
}

TEST_F(CommandLineTest, ShowsTheClusterAndWhatItWaitsFor) {
  Run({"topic", "create", "t"});
  EXPECT_THAT(Run({"topic", "describe", "t"}), HasSubstr("leader 1  replicas 1"));
  EXPECT_THAT(Run({"cluster", "status"}), HasSubstr("active, controller"));
  EXPECT_THAT(Run({"cluster", "status", "--topic", "t", "--output", "json"}),
              HasSubstr(R"("topic":"t","partition":0,)"));
  EXPECT_THAT(Run({"cluster", "why", "--output", "json"}), HasSubstr(R"({"waits":[)"));
  const auto alone = RunCommand(Cairn({"cluster", "transfer", "t", "0"}), "");
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_THAT(alone.err, HasSubstr("no other replica"));
  const auto in_use = RunCommand(Cairn({"cluster", "remove", "1"}), "");
  EXPECT_EQ(in_use.exit_code, 1);
  EXPECT_THAT(in_use.err, HasSubstr("drain it first"));
  EXPECT_EQ(RunCommand(Cairn({"cluster", "drain"}), "").exit_code, 2);
}

TEST_F(CommandLineTest, JsonGoesOutAndInAgain) {
  Run({"topic", "create", "a"});
  Run({"topic", "create", "b"});
  const std::string lines =
      R"({"timestamp_ms":1700000000000,"key":"k","value":"a \"quoted\" line","headers":[{"name":"h","value":null}]})"
      "\n"
      R"({"timestamp_ms":1700000000001,"value_base64":"/wAB"})"
      "\n";
  Run({"produce", "a", "--jsonl"}, lines);
  const std::string once = Run({"consume", "a", "--format", "json"});
  EXPECT_THAT(once, HasSubstr(R"("value":"a \"quoted\" line")"));
  EXPECT_THAT(once, HasSubstr(R"("value_base64":"/wAB")"));
  EXPECT_THAT(once, HasSubstr(R"("headers":[{"name":"h","value":null}])"));
  Run({"produce", "b", "--jsonl"}, once);
  EXPECT_EQ(Run({"consume", "b", "--format", "json"}), once);
}

TEST_F(CommandLineTest, KeysGoInAndOutBeforeASeparator) {
  Run({"topic", "create", "t", "--partitions", "3"});
  Run({"produce", "t", "--key-separator", "="}, "a=1\nb=2\nc=x=y\n");
  const std::string out = Run({"consume", "t", "--key-separator", "="});
  EXPECT_THAT(out, HasSubstr("a=1\n"));
  EXPECT_THAT(out, HasSubstr("c=x=y\n"));
  const auto bad = RunCommand(Cairn({"produce", "t", "--key-separator", "="}), "no key\n");
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.err, HasSubstr("line 1"));
}

TEST_F(CommandLineTest, CompressedRecordsComeBack) {
  Run({"topic", "create", "t"});
  const std::string line(1000, 'x');
  Run({"produce", "t", "--codec", "zstd"}, line + "\n");
  Run({"produce", "t", "--codec", "lz4"}, line + "\n");
  EXPECT_EQ(Run({"consume", "t"}), line + "\n" + line + "\n");
}

TEST_F(CommandLineTest, StartsWhereItIsTold) {
  Run({"topic", "create", "t"});
  Run({"produce", "t", "--jsonl"},
      "{\"timestamp_ms\":1000,\"value\":\"a\"}\n{\"timestamp_ms\":2000,\"value\":\"b\"}\n"
      "{\"timestamp_ms\":3000,\"value\":\"c\"}\n");
  EXPECT_EQ(Run({"consume", "t", "--from", "1"}), "b\nc\n");
  EXPECT_EQ(Run({"consume", "t", "--from", "earliest", "--count", "1"}), "a\n");
  EXPECT_EQ(Run({"consume", "t", "--from", "latest"}), "");
  EXPECT_EQ(Run({"consume", "t", "--from", "1500ms"}), "b\nc\n");
  EXPECT_EQ(Run({"consume", "t", "--from", "1970-01-01T00:00:03Z"}), "c\n");
  const auto beyond = RunCommand(Cairn({"consume", "t", "--from", "4"}));
  EXPECT_EQ(beyond.exit_code, 1);
  EXPECT_THAT(beyond.err, HasSubstr("[0, 3)"));
}

TEST_F(CommandLineTest, FollowsTheEndUntilItHasEnough) {
  Run({"topic", "create", "t"});
  FILE* follower = popen((Cairn({})[0] + " consume t --follow --count 3 2>&1").c_str(), "r");
  ASSERT_NE(follower, nullptr);
  Run({"produce", "t"}, "1\n2\n");
  Run({"produce", "t"}, "3\n");
  std::string out;
  for (int letter; (letter = fgetc(follower)) != EOF;) out += static_cast<char>(letter);
  EXPECT_EQ(pclose(follower), 0);
  EXPECT_EQ(out, "1\n2\n3\n");
}

TEST_F(CommandLineTest, AReaderThatLeavesEndsConsumeQuietly) {
  Run({"topic", "create", "t"});
  std::string lines;
  for (int i = 0; i < 200'000; ++i) lines += "a line that fills the pipe\n";
  Run({"produce", "t"}, lines);
  const auto done =
      RunCommand({"bash", "-c", "set -o pipefail; " + Cairn({})[0] + " consume t | head -n 1"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_EQ(done.out, "a line that fills the pipe\n");
  EXPECT_EQ(done.err, "");
}

TEST_F(CommandLineTest, TopicsAreListedDescribedAlteredAndDeleted) {
  Run({"topic", "create", "t", "--partitions", "2", "--retention-ms", "1000"});
  EXPECT_THAT(Run({"topic", "list"}), HasSubstr("t  2 partitions"));
  EXPECT_THAT(Run({"topic", "describe", "t", "--output", "json"}),
              HasSubstr("\"retention_ms\":1000"));
  EXPECT_THAT(Run({"topic", "alter", "t", "--retention-ms", "-1", "--output", "json"}),
              HasSubstr("\"retention_ms\":-1"));
  const auto twice = RunCommand(Cairn({"topic", "create", "t", "--output", "json"}));
  EXPECT_EQ(twice.exit_code, 1);
  EXPECT_THAT(twice.err, HasSubstr("\"reason\":\"TOPIC_EXISTS\""));
  Run({"topic", "delete", "t"});
  const auto gone = RunCommand(Cairn({"produce", "t"}), "x\n");
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_THAT(gone.err, HasSubstr("cairn topic create"));
}

TEST_F(CommandLineTest, RefusesIllegalNamesAndTooLargeRecordsInWords) {
  for (const char* name : {"..", "a/b", "a b"}) {
    const auto refused = RunCommand(Cairn({"topic", "create", name}));
    EXPECT_EQ(refused.exit_code, 1) << name;
    EXPECT_THAT(refused.err, HasSubstr(name));
  }
  Run({"topic", "create", "t"});
  const auto large = RunCommand(Cairn({"produce", "t"}), std::string((1 << 20) + 1, 'x') + "\n");
  EXPECT_EQ(large.exit_code, 1);
  EXPECT_THAT(large.err, HasSubstr("1048577"));
  EXPECT_THAT(large.err, HasSubstr("1048576"));
}

// By one stream it waited for ever.
TEST_F(CommandLineTest, BenchSaysWhyItWasRefused) {
  for (const char* mode : {"library", "stream", "unary"}) {
    const auto refused = RunCommand(
        Cairn({"bench", "produce", "--mode", mode, "--record-bytes", "2000000", "--seconds", "1"}));
    EXPECT_EQ(refused.exit_code, 1) << mode;
    EXPECT_THAT(refused.err, HasSubstr("2000000 bytes")) << mode;
    EXPECT_THAT(refused.err, HasSubstr("1048576")) << mode;
  }
}

TEST_F(CommandLineTest, AnUnknownFlagIsUsageAndNamesTheNearest) {
  const auto done = RunCommand(Cairn({"consume", "t", "--folow"}));
  EXPECT_EQ(done.exit_code, 2);
  EXPECT_THAT(done.err, HasSubstr("--follow"));
  EXPECT_EQ(RunCommand(Cairn({"prodce"})).exit_code, 2);
  EXPECT_EQ(RunCommand(Cairn({})).exit_code, 2);
}

TEST_F(CommandLineTest, SaysWhatToDoWhenNobodyListens) {
  const auto done = RunCommand(Cairn({"topic", "list", "--addr", "127.0.0.1:1"}));
  EXPECT_EQ(done.exit_code, 1);
  EXPECT_THAT(done.err, HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(done.err, HasSubstr("cairn server"));
}

TEST_F(CommandLineTest, EveryCommandHasHelpAndEveryShellACompletion) {
  for (const char* command :
       {"server", "produce", "consume", "topic", "log", "certs", "acl", "bench", "version"}) {
    EXPECT_THAT(Run({command, "--help"}), HasSubstr("--help")) << command;
    EXPECT_THAT(Run({"docs", "man"}), HasSubstr(std::string("cairn ") + command)) << command;
  }
  const ScratchDir scratch;
  WriteWholeFile(scratch / "c", Run({"docs", "completion", "bash"}));
  const auto complete = RunCommand(
      {"bash", "-c",
       "source " + scratch / "c" +
           "; COMP_WORDS=(cairn topic cre); COMP_CWORD=2; _cairn; echo \"${COMPREPLY[*]}\"; "
           "COMP_WORDS=(cairn topic create --part); COMP_CWORD=3; _cairn; echo "
           "\"${COMPREPLY[*]}\""});
  EXPECT_EQ(complete.out, "create\n--partitions\n") << complete.err;
}

TEST_F(CommandLineTest, VerifyFindsAFlippedBitAndNamesIt) {
  Run({"topic", "create", "t"});
  Run({"produce", "t", "--linger-ms", "0", "--batch-bytes", "1024"},
      std::string(400, 'a') + "\n" + std::string(400, 'b') + "\n" + std::string(400, 'c') + "\n" +
          std::string(400, 'd') + "\n");
  server_.Signal(SIGTERM);
  ASSERT_EQ(server_.Wait(), 0);
  EXPECT_THAT(Run({"log", "verify", server_.data_dir()}), HasSubstr("all intact"));
  const std::string file = server_.data_dir() + "/topics/t~2/0/00000000000000000000.store";
  EXPECT_THAT(Run({"log", "dump", file, "--records"}), HasSubstr("\"offset\":3"));
  std::string bytes = ReadWholeFile(file);
  bytes[bytes.find("aaaa")] = 'b';
  WriteWholeFile(file, bytes);
  const auto verify = RunCommand(Cairn({"log", "verify", server_.data_dir()}));
  EXPECT_EQ(verify.exit_code, 1);
  EXPECT_THAT(verify.out, HasSubstr(file));
  EXPECT_THAT(verify.out, HasSubstr("offset 0"));
  EXPECT_THAT(verify.out, HasSubstr("expected"));
}

}  // namespace
}  // namespace cairn::testing
