// `cairn certs` from outside: what other programs think of its files, who may read them, what it
// refuses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "process/child_process.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

bool HasOpenssl() { return RunCommand({"bash", "-c", "command -v openssl"}).exit_code == 0; }

unsigned ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

class CertsTest : public ::testing::Test {
 protected:
  // Runs `cairn certs ...` in the directory "certs".
  FinishedProcess Try(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "certs");
    arguments.insert(arguments.end(), {"--dir", directory_});
    return RunCommand(Cairn(std::move(arguments)));
  }
  std::string Run(std::vector<std::string> arguments) const {
    const FinishedProcess done = Try(std::move(arguments));
    EXPECT_EQ(done.exit_code, 0) << done.err;
    return done.out;
  }
  std::string File(const std::string& name) const { return directory_ + "/" + name; }

  // What `openssl verify` says of a certificate.
  FinishedProcess Verify(const std::string& name, std::vector<std::string> flags) const {
    std::vector<std::string> command = {"openssl", "verify", "-CAfile", File("ca.pem")};
    command.insert(command.end(), flags.begin(), flags.end());
    command.push_back(File(name));
    return RunCommand(command);
  }
  std::string Show(const std::string& name) const {
    return RunCommand({"openssl", "x509", "-in", File(name), "-noout", "-text"}).out;
  }

  const ScratchDir scratch_;
  const std::string directory_ = scratch_ / "certs";
};

TEST_F(CertsTest, OpensslAcceptsWhatItIssues) {
  if (!HasOpenssl()) GTEST_SKIP() << "openssl is not installed";
  Run({"init", "--name", "the lab"});
  Run({"issue", "alice"});
  Run({"issue", "node-1", "--node"});
  Run({"issue", "node-2", "--node", "--host", "n2.example", "--host", "10.0.0.2"});

  EXPECT_EQ(Verify("alice.pem", {"-x509_strict", "-purpose", "sslclient"}).exit_code, 0);
  EXPECT_NE(Verify("alice.pem", {"-purpose", "sslserver"}).exit_code, 0);
  EXPECT_THAT(Show("alice.pem"), HasSubstr("Subject: CN = alice"));
  EXPECT_THAT(Show("alice.pem"), HasSubstr("Issuer: CN = the lab"));
  EXPECT_THAT(Show("alice.pem"), Not(HasSubstr("Alternative Name")));
  for (const std::string host : {"localhost", "n2.example"}) {
    const std::string node = host == "localhost" ? "node-1.pem" : "node-2.pem";
    EXPECT_EQ(Verify(node, {"-purpose", "sslclient"}).exit_code, 0);
    EXPECT_EQ(Verify(node, {"-purpose", "sslserver", "-verify_hostname", host}).exit_code, 0);
  }
  for (const char* address : {"127.0.0.1", "::1"}) {
    EXPECT_EQ(Verify("node-1.pem", {"-verify_ip", address}).exit_code, 0) << address;
  }
  EXPECT_EQ(Verify("node-2.pem", {"-verify_ip", "10.0.0.2"}).exit_code, 0);
  EXPECT_NE(Verify("node-2.pem", {"-verify_hostname", "localhost"}).exit_code, 0);
}

TEST_F(CertsTest, AClockThatIsAMinuteBehindAcceptsThem) {
  if (!HasOpenssl()) GTEST_SKIP() << "openssl is not installed";
  Run({"init"});
  Run({"issue", "alice", "--days", "2"});
  Run({"revoke"});
  const auto at = [](int64_t seconds) {
    return std::to_string(static_cast<int64_t>(time(nullptr)) + seconds);
  };
  const std::vector<std::string> list = {"-crl_check", "-CRLfile", File("ca-crl.pem"), "-attime"};
  auto flags = list;
  flags.push_back(at(-60));
  EXPECT_EQ(Verify("alice.pem", flags).exit_code, 0);
  flags.back() = at(3600 * 47);
  EXPECT_EQ(Verify("alice.pem", flags).exit_code, 0);
  flags.back() = at(3600 * 49);
  EXPECT_THAT(Verify("alice.pem", flags).err, HasSubstr("expired"));
}

TEST_F(CertsTest, OnlyTheOwnerReadsKeys) {
  const mode_t before = ::umask(022);
  EXPECT_EQ(Run({"init"}), File("ca.pem") + "\n" + File("ca-key.pem") + "\n");
  EXPECT_EQ(Run({"issue", "alice"}), File("alice.pem") + "\n" + File("alice-key.pem") + "\n");
  ::umask(before);
  EXPECT_EQ(ModeOf(directory_), 0700u);
  EXPECT_EQ(ModeOf(File("ca.pem")), 0644u);
  EXPECT_EQ(ModeOf(File("alice.pem")), 0644u);
  EXPECT_EQ(ModeOf(File("ca-key.pem")), 0600u);
  EXPECT_EQ(ModeOf(File("alice-key.pem")), 0600u);
}

TEST_F(CertsTest, NothingIsOverwritten) {
  Run({"init"});
  Run({"issue", "alice"});
  const std::vector<std::string> files = {"ca.pem", "ca-key.pem", "alice.pem", "alice-key.pem"};
  std::vector<std::string> before;
  for (const std::string& file : files) before.push_back(ReadWholeFile(File(file)));

  const FinishedProcess init = Try({"init"});
  EXPECT_EQ(init.exit_code, 1);
  EXPECT_THAT(init.err, HasSubstr(File("ca-key.pem") + " exists already"));
  const FinishedProcess issue = Try({"issue", "alice"});
  EXPECT_EQ(issue.exit_code, 1);
  EXPECT_THAT(issue.err, HasSubstr(File("alice-key.pem") + " exists already"));
  for (size_t i = 0; i < files.size(); ++i) EXPECT_EQ(ReadWholeFile(File(files[i])), before[i]);

  // Half of a pair is enough to refuse, and leaves no other half behind.
  std::filesystem::remove(File("alice-key.pem"));
  EXPECT_EQ(Try({"issue", "alice"}).exit_code, 1);
  EXPECT_FALSE(std::filesystem::exists(File("alice-key.pem")));
  EXPECT_EQ(ReadWholeFile(File("alice.pem")), before[2]);
}

TEST_F(CertsTest, ANameThatIsNoFileNameIsRefused) {
  Run({"init"});
  for (const std::string& name : {std::string(), std::string(".."), std::string("a/b"),
                                  std::string("../ca"), std::string("two\nlines"),
                                  std::string(65, 'x'), std::string("ca"), std::string("ca-crl")}) {
    const FinishedProcess done = Try({"issue", name});
    EXPECT_EQ(done.exit_code, 2) << name;
    EXPECT_THAT(done.err, HasSubstr("NAME")) << name;
  }
  EXPECT_EQ(Try({"issue", "n", "--host", "a"}).exit_code, 2);  // a host without --node
  EXPECT_THAT(Try({"issue", "n", "--node", "--host", "a,DNS:b"}).err,
              HasSubstr("neither a host name nor an IP address"));
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_)) {
    ++files;
  }
  EXPECT_EQ(files, 2u);  // the authority's own
}

TEST_F(CertsTest, WithoutAnAuthoritySaysHowToMakeOne) {
  for (const char* command : {"issue", "revoke"}) {
    const FinishedProcess done = Try({command, "alice"});
    EXPECT_EQ(done.exit_code, 1);
    EXPECT_THAT(done.err, HasSubstr("cairn certs init"));
  }
}

TEST_F(CertsTest, WhatIsRevokedStaysRevoked) {
  if (!HasOpenssl()) GTEST_SKIP() << "openssl is not installed";
  Run({"init"});
  for (const char* name : {"alice", "bob", "carol"}) Run({"issue", name});
  const std::vector<std::string> check = {"-crl_check", "-CRLfile", File("ca-crl.pem")};
  EXPECT_EQ(Run({"revoke", "alice"}), File("ca-crl.pem") + "\n" + File("revoked.txt") + "\n");
  EXPECT_THAT(Verify("alice.pem", check).err, HasSubstr("certificate revoked"));
  EXPECT_EQ(Verify("bob.pem", check).exit_code, 0);
  Run({"revoke", File("bob.pem"), "alice", "--days", "7"});
  EXPECT_THAT(Verify("alice.pem", check).err, HasSubstr("certificate revoked"));
  EXPECT_THAT(Verify("bob.pem", check).err, HasSubstr("certificate revoked"));
  EXPECT_EQ(Verify("carol.pem", check).exit_code, 0);

  const std::string revoked = ReadWholeFile(File("revoked.txt"));
  EXPECT_EQ(std::count(revoked.begin(), revoked.end(), '\n'), 2);
  Run({"revoke"});  // only anew
  EXPECT_EQ(ReadWholeFile(File("revoked.txt")), revoked);
  EXPECT_THAT(Verify("alice.pem", check).err, HasSubstr("certificate revoked"));
}

TEST_F(CertsTest, OnlyItsOwnCertificatesAreTakenBack) {
  Run({"init"});
  Run({"issue", "alice"});
  const std::string other = scratch_ / "other";
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"certs", "init", "--dir", other},
        std::vector<std::string>{"certs", "issue", "eve", "--dir", other}}) {
    ASSERT_EQ(RunCommand(Cairn(command)).exit_code, 0);
  }
  EXPECT_THAT(Try({"revoke", "alice", other + "/eve.pem"}).err,
              HasSubstr(other + "/eve.pem: a certificate of another authority"));
  EXPECT_THAT(Try({"revoke", "ca"}).err, HasSubstr("the authority itself"));
  EXPECT_THAT(Try({"revoke", "alice-key"}).err, HasSubstr("no certificate"));
  EXPECT_THAT(Try({"revoke", "nobody"}).err, HasSubstr(File("nobody.pem")));
  EXPECT_FALSE(std::filesystem::exists(File("ca-crl.pem")));
  EXPECT_FALSE(std::filesystem::exists(File("revoked.txt")));

  WriteWholeFile(File("revoked.txt"), "0A\nnonsense\n");
  EXPECT_THAT(Try({"revoke", "alice"}).err, HasSubstr(File("revoked.txt") + ":2: "));
}

TEST_F(CertsTest, TellsProgramsWhatItWrote) {
  EXPECT_EQ(Run({"init", "--output", "json"}),
            "{\"files\":[\"" + File("ca.pem") + "\",\"" + File("ca-key.pem") + "\"]}\n");
}

}  // namespace
}  // namespace cairn::testing
