// The routes of the console: what they answer, to whom, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/strings.h"
#include "env/raw_client.h"
#include "server/cluster_fixture.h"
#include "server/console/page_files.h"
#include "server/secure_fixture.h"

namespace cairn::server {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct HttpAnswer {
  explicit HttpAnswer(const std::string& text) {
    const size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos) return;
    head = text.substr(0, end + 2);
    body = text.substr(end + 4);
    status = std::stoi(text.substr(std::string("HTTP/1.1 ").size()));
  }
  json Json() const { return json::parse(body, nullptr, false); }

  int status = 0;
  std::string head;
  std::string body;
};

std::string RequestOf(const std::string& target, const std::string& host = "127.0.0.1:8400") {
  return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
}

HttpAnswer Get(const std::string& address, const std::string& target) {
  env::RawClient client(address);
  client.Send(RequestOf(target));
  return HttpAnswer(client.ReceiveAll());
}

class ConsoleTest : public ServerFixture {
 protected:
  HttpAnswer Get(const std::string& target) { return server::Get(server_->address(), target); }
  json Records(const std::string& query) { return Get("/records.json?" + query).Json(); }
};

TEST_F(ConsoleTest, ServesThePageWithNothingFromElsewhere) {
  const HttpAnswer page = Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.head, HasSubstr("Content-Type: text/html; charset=utf-8\r\n"));
  EXPECT_THAT(page.head,
              HasSubstr("Content-Security-Policy: default-src 'none'; script-src 'self'"));
  EXPECT_THAT(page.head, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(page.head, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(page.head, HasSubstr("Referrer-Policy: no-referrer\r\n"));
  EXPECT_THAT(page.head, HasSubstr("Cache-Control: no-cache\r\n"));
  size_t files = 0;
  for (const PageFile& file : PageFiles()) {
    const std::string path = file.name == "index.html" ? "/" : base::StrCat("/console/", file.name);
    const HttpAnswer answer = Get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.body, file.content) << path;
    EXPECT_THAT(answer.head, HasSubstr("Content-Security-Policy: ")) << path;
    for (const char* bad : {"//cdn", "https://", "innerHTML", "insertAdjacentHTML",
                            "document.write", "eval(", " style=", "onclick=\""}) {
      EXPECT_THAT(answer.body, Not(HasSubstr(bad))) << path;
    }
    ++files;
  }
  EXPECT_GT(files, 5u);
  EXPECT_EQ(Get("/console/").status, 404);
  EXPECT_EQ(Get("/console/../main.js").status, 404);
}

TEST_F(ConsoleTest, AnswersGetAndHeadAlone) {
  for (const char* path : {"/", "/status.json", "/records.json?topic=default"}) {
    env::RawClient head(server_->address());
    head.Send(
        base::StrCat("HEAD ", path, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    const HttpAnswer answer(head.ReceiveAll());
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_THAT(answer.body, IsEmpty()) << path;
    EXPECT_THAT(answer.head, Not(HasSubstr("Content-Length: 0\r\n"))) << path;
    env::RawClient post(server_->address());
    post.Send(base::StrCat("POST ", path,
                           " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: "
                           "close\r\n\r\n"));
    EXPECT_THAT(post.ReceiveAll(), HasSubstr("Allow: GET, HEAD\r\n")) << path;
  }
}

TEST_F(ConsoleTest, ShowsTheStatusOfOneNode) {
  ASSERT_TRUE(CreateTopic("orders", 2).ok());
  ASSERT_TRUE(ProduceValue("x", "orders").ok());
  // The controller and gossip hear of what is new a moment later; until then the node knows itself.
  EXPECT_EQ(Get("/status.json").Json()["topics"][1]["leaderless"], 0);
  EXPECT_TRUE(Await([&] {
    const json now = Get("/status.json").Json();
    return now["members"][0]["kind"] == "broker" && now["topics"][1]["under_replicated"] == 0;
  }));
  const HttpAnswer answer = Get("/status.json");
  EXPECT_THAT(answer.head, HasSubstr("Content-Type: application/json; charset=utf-8\r\n"));
  EXPECT_THAT(answer.head, HasSubstr("Cache-Control: no-store\r\n"));
  const json status = answer.Json();
  ASSERT_TRUE(status.is_object()) << answer.body;
  EXPECT_EQ(status["node"]["name"], "node-1");
  EXPECT_EQ(status["node"]["ready"], true);
  EXPECT_EQ(status["controller"], 1);
  EXPECT_FALSE(status.contains("controller_error"));
  ASSERT_EQ(status["nodes"].size(), 1u);
  EXPECT_EQ(status["nodes"][0]["address"], server_->address());
  EXPECT_EQ(status["nodes"][0]["state"], "active");
  EXPECT_EQ(status["nodes"][0]["reachable"], true);
  EXPECT_EQ(status["members"][0]["status"], "alive");
  ASSERT_EQ(status["topics"].size(), 2u) << "default, and the one that was made";
  const json orders = status["topics"][1];
  EXPECT_EQ(orders["name"], "orders");
  EXPECT_EQ(orders["partition_count"], 2);
  EXPECT_EQ(orders["leaderless"], 0);
  EXPECT_EQ(orders["partitions"][0]["leader"], 1);
  EXPECT_EQ(orders["partitions"][0]["replicas"], json::array({1}));
  EXPECT_EQ(orders["partitions"][0]["high_watermark"], 1);
  EXPECT_EQ(orders["partitions"][1]["high_watermark"], 0);

  const json one = Get("/status.json?topic=orders").Json();
  ASSERT_EQ(one["topics"].size(), 1u);
  EXPECT_EQ(one["topics"][0], orders);
  EXPECT_EQ(Get("/status.json?topic=nope").Json()["reason"], "UNKNOWN_TOPIC");
  EXPECT_EQ(Get("/status.json?topics=orders").status, 400);
}

TEST_F(ConsoleTest, ReadsRecordsFromAnyOffset) {
  logapi::v1::ProduceRequest request;
  request.set_topic("default");
  request.mutable_record()->set_key("k<1>");
  request.mutable_record()->set_value("v\"1\"");
  auto* header = request.mutable_record()->add_headers();
  header->set_name("h");
  header->set_value("\xff\x00", 2);
  ASSERT_TRUE(Produce(request).ok());
  ASSERT_TRUE(ProduceValue("second").ok());
  ASSERT_TRUE(ProduceValue(std::string("\x00\xfe", 2)).ok());

  const json all = Records("topic=default&offset=earliest");
  EXPECT_EQ(all["topic"], "default");
  EXPECT_EQ(all["log_start"], 0);
  EXPECT_EQ(all["high_watermark"], 3);
  EXPECT_EQ(all["next_offset"], 3);
  ASSERT_EQ(all["records"].size(), 3u);
  EXPECT_EQ(all["records"][0]["key"], "k<1>");
  EXPECT_EQ(all["records"][0]["value"], "v\"1\"");
  EXPECT_EQ(all["records"][0]["headers"][0]["name"], "h");
  EXPECT_EQ(all["records"][0]["headers"][0]["value_base64"], "/wA=");
  EXPECT_GT(all["records"][0]["timestamp_ms"], 0);
  EXPECT_FALSE(all["records"][1].contains("key"));
  EXPECT_EQ(all["records"][2]["value_base64"], "AP4=");

  const json middle = Records("topic=default&partition=0&offset=1&limit=1");
  ASSERT_EQ(middle["records"].size(), 1u);
  EXPECT_EQ(middle["records"][0]["offset"], 1);
  EXPECT_EQ(middle["next_offset"], 2);
  const json end = Records("topic=default&offset=latest");
  EXPECT_THAT(end["records"], IsEmpty());
  EXPECT_EQ(end["next_offset"], 3);
  EXPECT_EQ(Records("topic=default&offset=3")["next_offset"], 3);
}

TEST_F(ConsoleTest, CutsLongValuesAndStaysWithinTheBytesAskedFor) {
  const std::string value = std::string(4'095, 'a') + "\xc3\xbc" + std::string(100'000, 'b');
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(ProduceValue(value).ok());
  const json cut = Records("topic=default");
  ASSERT_EQ(cut["records"].size(), 4u);
  EXPECT_EQ(cut["records"][0]["value"], std::string(4'095, 'a')) << "not in the middle of a letter";
  EXPECT_EQ(cut["records"][0]["value_bytes"], value.size());
  const json whole = Records("topic=default&cut=1048576&max_bytes=150000");
  ASSERT_EQ(whole["records"].size(), 2u) << "the one that reaches the limit is the last";
  EXPECT_EQ(whole["records"][1]["value"], value);
  EXPECT_FALSE(whole["records"][1].contains("value_bytes"));
  EXPECT_EQ(whole["next_offset"], 2);
  EXPECT_EQ(Records("topic=default&max_bytes=1")["records"].size(), 1u) << "one at least";
}

TEST_F(ConsoleTest, SaysWhatIsWrongWithAQuestionForRecords) {
  ASSERT_TRUE(ProduceValue("x").ok());
  const auto error = [&](const std::string& query, int status) {
    const HttpAnswer answer = Get("/records.json?" + query);
    EXPECT_EQ(answer.status, status) << query;
    const json said = answer.Json();
    EXPECT_TRUE(said.is_object()) << answer.body;
    return said;
  };
  const json range = error("topic=default&offset=2", 400);
  EXPECT_EQ(range["code"], "OUT_OF_RANGE");
  EXPECT_EQ(range["reason"], "OFFSET_OUT_OF_RANGE");
  EXPECT_EQ(range["details"]["log_start"], "0");
  EXPECT_EQ(range["details"]["high_watermark"], "1");
  EXPECT_EQ(error("topic=nope", 404)["reason"], "UNKNOWN_TOPIC");
  EXPECT_EQ(error("topic=default&partition=7", 404)["reason"], "UNKNOWN_PARTITION");
  EXPECT_EQ(error("topic=a%2Fb", 400)["reason"], "INVALID_TOPIC_NAME");
  EXPECT_EQ(error("topic=%ff", 400)["reason"], "INVALID_TOPIC_NAME");
  const std::map<std::string, std::string> wrong = {
      {"", "names no topic"},
      {"topic=default&offset=newest", "or \"earliest\" or \"latest\""},
      {"topic=default&offset=-1", "a number from 0"},
      {"topic=default&limit=0", "a number from 1 to 500"},
      {"topic=default&limit=501", "a number from 1 to 500"},
      {"topic=default&max_bytes=1048577", "a number from 1 to 1048576"},
      {"topic=default&wait_ms=20001", "a number from 0 to 20000"},
      {"topic=default&topic=default", "twice"},
      {"topic=default&follow=1", "\"follow\"; there is topic, partition"},
      {"topic=%d", "two hexadecimal digits"},
  };
  for (const auto& [query, says] : wrong) {
    const json said = error(query, 400);
    EXPECT_THAT(said["error"].get<std::string>(), HasSubstr(says)) << query;
    EXPECT_EQ(said["code"], "INVALID_ARGUMENT") << query;
  }
}

TEST_F(ConsoleTest, WaitsForTheNextRecord) {
  std::atomic<bool> answered{false};
  // Until one comes behind the beginning of the wait.
  std::thread producer([&] {
    while (!answered) EXPECT_TRUE(ProduceValue("x").ok());
  });
  const json answer = Records("topic=default&offset=latest&wait_ms=20000");
  answered = true;
  producer.join();
  ASSERT_GE(answer["records"].size(), 1u) << answer;
  EXPECT_EQ(answer["records"][0]["value"], "x");
}

TEST_F(ConsoleTest, AnswersWithoutRecordsWhenTheWaitIsOver) {
  const json answer = Records("topic=default&offset=0&wait_ms=30");
  EXPECT_THAT(answer["records"], IsEmpty());
  EXPECT_EQ(answer["next_offset"], 0);
  EXPECT_EQ(answer["high_watermark"], 0);
}

TEST_F(ConsoleTest, LetsGoOfAWaitWhoseClientHasGone) {
  // As many as may wait, and one more: refused. When they have gone there is room again.
  constexpr int kPolls = 128;
  std::vector<std::unique_ptr<env::RawClient>> waiting;
  for (int i = 0; i < kPolls; ++i) {
    waiting.push_back(std::make_unique<env::RawClient>(server_->address()));
    waiting.back()->Send(RequestOf("/records.json?topic=default&offset=0&wait_ms=20000"));
  }
  EXPECT_TRUE(Await([&] { return Records("topic=default&wait_ms=1")["reason"] == "OVERLOADED"; }));
  EXPECT_EQ(Get("/readyz").status, 200) << "others find room";
  const auto begin = std::chrono::steady_clock::now();
  waiting.resize(1);
  EXPECT_TRUE(Await([&] { return Records("topic=default")["next_offset"] == 0; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15))
      << "not only when their time was over";
  ASSERT_TRUE(ProduceValue("x").ok());
  EXPECT_THAT(waiting.front()->ReceiveAll(), HasSubstr("\"value\":\"x\""));
}

TEST_F(ConsoleTest, AStopEndsWhatWaits) {
  env::RawClient client(server_->address());
  // One that was answered: the connection is one of HTTP.
  client.Send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
  client.ReceiveUntil("ok\n");
  client.Send(RequestOf("/records.json?topic=default&offset=0&wait_ms=20000"));
  const auto begin = std::chrono::steady_clock::now();
  server_->Stop();
  client.ReceiveAll();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
}

TEST_F(ConsoleTest, RefusesBrowsersThatMeanAnotherHost) {
  const auto as = [&](const std::string& host, const std::string& target) {
    env::RawClient client(server_->address());
    client.Send(RequestOf(target, host));
    return HttpAnswer(client.ReceiveAll());
  };
  for (const char* host : {"evil.example", "evil.example:8400", "127.0.0.1.evil.example", "", "[",
                           "[]", ":8400", "localhost.evil.example"}) {
    EXPECT_EQ(as(host, "/records.json?topic=default").status, 403) << host;
    EXPECT_EQ(as(host, "/status.json").status, 403) << host;
    EXPECT_EQ(as(host, "/readyz").status, 200) << host;
  }
  for (const char* host : {"localhost", "LOCALHOST:1", "127.0.0.1:8400", "10.1.2.3", "[::1]:8400",
                           "[::1]", "node-1:8400"}) {
    EXPECT_EQ(as(host, "/status.json").status, 200) << host;
  }
  EXPECT_THAT(as("a\"b.example", "/status.json").body, HasSubstr("open it by its IP address"));
}

// With TLS, a policy and an audit log.
class SecureConsoleTest : public SecureFixture {
 protected:
  void SetUp() override {
    WritePolicy(
        "p, root, orders, create, allow\np, root, orders, produce, allow\n"
        "p, reader, orders, consume, allow\np, watcher, *, describe, allow\n"
        "p, writer, orders, produce, allow\n");
    StartServer();
    admin_ = cairn::v1::Admin::NewStub(ChannelOf("root"));
    ASSERT_TRUE(CreateTopic("orders").ok());
    ASSERT_TRUE(ProduceOver(ChannelOf("root"), "orders").ok());
  }
  ServerConfig Config() override {
    ServerConfig config = SecureFixture::Config();
    config.audit.path = File("audit.jsonl");
    config.health_without_certificate = true;
    return config;
  }
  HttpAnswer As(const std::string& subject, const std::string& target) {
    const security::TlsFiles files = subject.empty()
                                         ? security::TlsFiles{.authorities = File("ca.pem")}
                                         : Issue(ClientRequest(subject));
    return HttpAnswer(GetOver(files, target));
  }
};

TEST_F(SecureConsoleTest, ShowsEachCallerWhatItsRpcsWould) {
  struct Page {
    const char* target;
    std::map<std::string, int> statuses;
    const char* refusal;
  };
  const std::vector<Page> table = {
      {"/", {{"", 401}, {"reader", 200}, {"nobody", 200}}, ""},
      {"/console/main.js", {{"", 401}, {"nobody", 200}}, ""},
      {"/status.json",
       {{"", 401}, {"watcher", 200}, {"reader", 403}, {"nobody", 403}},
       " not permitted to describe to *"},
      {"/status.json?topic=orders",
       {{"", 401}, {"reader", 200}, {"writer", 200}, {"watcher", 403}, {"nobody", 403}},
       " not permitted to describe to orders"},
      {"/records.json?topic=orders",
       {{"", 401}, {"reader", 200}, {"watcher", 403}, {"writer", 403}},
       " not permitted to consume to orders"},
      {"/records.json?topic=secrets",
       {{"", 401}, {"reader", 403}, {"watcher", 403}},
       " not permitted to consume to secrets"},
      {"/records.json?topic=orders&offset=nonsense", {{"", 401}, {"nobody", 400}}, ""},
  };
  for (const Page& page : table) {
    for (const auto& [subject, status] : page.statuses) {
      const HttpAnswer answer = As(subject, page.target);
      EXPECT_EQ(answer.status, status) << subject << " " << page.target << "\n" << answer.body;
      if (status == 401) {
        EXPECT_THAT(answer.body, HasSubstr("no identity: show a certificate with a common name"));
      }
      if (status != 403) continue;
      EXPECT_EQ(answer.Json()["error"], subject + page.refusal);
      EXPECT_EQ(answer.Json()["reason"], "NOT_PERMITTED");
    }
  }
  EXPECT_EQ(As("", "/livez").status, 200);
}

TEST_F(SecureConsoleTest, WritesDownWhoWasRefusedRecords) {
  EXPECT_EQ(As("mallory", "/records.json?topic=orders").status, 403);
  server_->Stop();
  std::ifstream file(File("audit.jsonl"));
  std::vector<json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["subject"], "mallory");
  EXPECT_EQ(lines[0]["action"], "consume");
  EXPECT_EQ(lines[0]["object"], "orders");
  EXPECT_EQ(lines[0]["allowed"], false);
}

TEST_F(SecureConsoleTest, AsksThePolicyAgainBeforeItShowsWhatWasWaitedFor) {
  std::string answer;
  const security::TlsFiles reader = Issue(ClientRequest("reader"));
  std::thread waiting(
      [&] { answer = GetOver(reader, "/records.json?topic=orders&offset=1&wait_ms=20000"); });
  // A reader that may no more, whether it asked before or behind the change.
  WritePolicy("p, root, orders, produce, allow\n");
  server_->Reload(Config());
  EXPECT_TRUE(Await([&] { return As("reader", "/records.json?topic=orders").status == 403; }));
  ASSERT_TRUE(ProduceOver(ChannelOf("root"), "orders").ok());
  waiting.join();
  EXPECT_EQ(HttpAnswer(answer).status, 403) << answer;
}

class ClusterConsoleTest : public ClusterFixture {
 protected:
  json StatusOf(int index) { return Get(Address(index), "/status.json").Json(); }
};

TEST_F(ClusterConsoleTest, EveryNodeShowsTheClusterAndSaysWhenItIsAlone) {
  CreateTopic("orders", 2);
  EXPECT_TRUE(Await([&] { return StatusOf(0)["waits"].empty(); })) << StatusOf(0);
  for (int i = 0; i < kNodes; ++i) {
    const json status = StatusOf(i);
    EXPECT_EQ(status["node"]["id"], i + 1);
    EXPECT_EQ(status["cluster_id"], StatusOf(0)["cluster_id"]);
    EXPECT_EQ(status["controller"], StatusOf(0)["controller"]);
    EXPECT_EQ(status["nodes"].size(), 3u);
    EXPECT_EQ(status["members"].size(), 3u);
    for (const json& node : status["nodes"]) EXPECT_EQ(node["reachable"], true);
    for (const json& partition : status["topics"][1]["partitions"]) {
      EXPECT_EQ(partition["replicas"].size(), 3u);
      EXPECT_EQ(partition["members"].size(), 3u);
      EXPECT_EQ(partition["under_replicated"], false);
      EXPECT_TRUE(partition["leader"].is_number());
    }
  }
  StopNode(1);
  EXPECT_TRUE(Await([&] { return StatusOf(0)["nodes"][1]["reachable"] == false; }));
  EXPECT_TRUE(Await([&] { return StatusOf(0)["topics"][1]["under_replicated"] == 2; }));
  // Without a majority there is no controller.
  StopNode(2);
  EXPECT_TRUE(Await([&] { return StatusOf(0).contains("controller_error"); }));
  const json alone = StatusOf(0);
  EXPECT_TRUE(alone["controller"].is_null()) << alone;
  EXPECT_EQ(alone["nodes"].size(), 3u);
  EXPECT_TRUE(alone["nodes"][1]["reachable"].is_null());
  EXPECT_EQ(alone["topics"].size(), 2u);
  EXPECT_TRUE(alone["topics"][1]["under_replicated"].is_null());
  // Records that are committed can be read all the same.
  EXPECT_EQ(Get(Address(0), "/records.json?topic=orders").status, 200);
}

}  // namespace
}  // namespace cairn::server
