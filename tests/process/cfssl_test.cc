// Certificates as Cloudflare's CFSSL makes them from the files that the ancestor uses: they work as
// they are, on all sides.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "process/await.h"
#include "process/child_process.h"
#include "process/server_process.h"

namespace cairn::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CfsslTest : public ::testing::Test {
 protected:
  CfsslTest() {
    Write("ca-csr.json",
          R"({"CN": "My Awesome CA", "key": {"algo": "rsa", "size": 2048},
              "names": [{"C": "CA", "L": "ON", "ST": "Toronto", "O": "My Awesome Company"}]})");
    Write("ca-config.json",
          R"({"signing": {"profiles": {
              "server": {"expiry": "8760h", "usages": ["signing", "key encipherment", "server auth"]},
              "peer": {"expiry": "8760h",
                       "usages": ["signing", "key encipherment", "server auth", "client auth"]},
              "client": {"expiry": "8760h",
                         "usages": ["signing", "key encipherment", "client auth"]}}}})");
    Write("server-csr.json",
          R"({"CN": "127.0.0.1", "hosts": ["localhost", "127.0.0.1"],
              "key": {"algo": "rsa", "size": 2048}})");
    Write("client-csr.json",
          R"({"CN": "client", "hosts": [""], "key": {"algo": "ecdsa", "size": 256}})");
    Write("model.conf",
          "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n"
          "[policy_effect]\ne = some(where (p.eft == allow))\n"
          "[matchers]\nm = r.sub == p.sub && r.obj == p.obj && r.act == p.act\n");
    Write("policy.csv", "p, root, default, produce\np, root, default, consume\n");
    Cfssl("gencert -initca ca-csr.json", "ca");
    const std::string sign = "gencert -ca=ca.pem -ca-key=ca-key.pem -config=ca-config.json ";
    Cfssl(sign + "-profile=server server-csr.json", "server");
    Cfssl(sign + "-profile=peer server-csr.json", "peer");
    Cfssl(sign + "-profile=client -cn=root client-csr.json", "root");
    Cfssl(sign + "-profile=client -cn=nobody client-csr.json", "nobody");
  }

  void Write(const std::string& name, const std::string& content) const {
    std::ofstream(scratch_ / name) << content;
  }
  void Cfssl(const std::string& arguments, const std::string& name) const {
    const FinishedProcess done =
        RunCommand({"bash", "-c",
                    "set -o pipefail; cd " + scratch_.path() + " && cfssl " + arguments +
                        " | cfssljson -bare " + name});
    ASSERT_EQ(done.exit_code, 0) << done.err;
  }
  std::vector<std::string> Tls(const std::string& flag, const std::string& name) const {
    return {flag + "-cert-file", scratch_ / (name + ".pem"),
            flag + "-key-file",  scratch_ / (name + "-key.pem"),
            flag + "-ca-file",   scratch_ / "ca.pem"};
  }
  void StartServer() {
    std::vector<std::string> flags = Tls("--server-tls", "server");
    const auto peer = Tls("--peer-tls", "peer");
    flags.insert(flags.end(), peer.begin(), peer.end());
    flags.insert(flags.end(), {"--acl-model-file", scratch_ / "model.conf", "--acl-policy-file",
                               scratch_ / "policy.csv"});
    server_.Start({}, flags);
  }
  FinishedProcess Run(const std::string& subject, std::vector<std::string> arguments,
                      const std::string& input = "") const {
    const auto tls = Tls("--tls", subject);
    arguments.insert(arguments.end(), tls.begin(), tls.end());
    arguments.insert(arguments.end(), {"--addr", server_.address()});
    return RunCommand(Cairn(std::move(arguments)), input);
  }

  const ScratchDir scratch_;
  ServerProcess server_{scratch_ / "data"};
};

TEST_F(CfsslTest, ItsCertificatesWorkAsTheyAre) {
  StartServer();
  const FinishedProcess sent = Run("root", {"produce", "default"}, "hello\n");
  EXPECT_EQ(sent.exit_code, 0) << sent.err;
  EXPECT_EQ(Run("root", {"consume", "default"}).out, "hello\n");
  const FinishedProcess refused = Run("nobody", {"produce", "default"}, "hello\n");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("nobody not permitted to"));
}

TEST_F(CfsslTest, WhoShowsNoneIsRefusedInTheLogsOwnFormat) {
  StartServer();
  const FinishedProcess refused =
      RunCommand(Cairn({"produce", "default", "--timeout", "3", "--addr", server_.address(),
                        "--tls-ca-file", scratch_ / "ca.pem"}),
                 "hello\n");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, StartsWith("cairn produce: "));
  EXPECT_THAT(refused.err, HasSubstr("--tls-cert-file"));
  EXPECT_TRUE(Await([&] { return server_.log().find("\"grpc\"") != std::string::npos; }));
  std::istringstream lines(server_.log());
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  }
}

TEST_F(CfsslTest, WhoHoldsKeysLeavesNoCoreFile) {
  StartServer();
  std::ifstream limits("/proc/" + std::to_string(server_.pid()) + "/limits");
  const std::string text(std::istreambuf_iterator<char>(limits), {});
  EXPECT_THAT(text, ContainsRegex("Max core file size +0 +0"));
}

}  // namespace
}  // namespace cairn::testing
