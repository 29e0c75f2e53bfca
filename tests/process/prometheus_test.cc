// A real Prometheus scrapes a real node, with the alert rules of docs/ops.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "cairn/admin.h"
#include "cairn/producer.h"
#include "env/raw_client.h"
#include "process/await.h"
#include "process/server_process.h"

namespace cairn::testing {
namespace {

// Scrapes `target`, as the job "cairn", five times a second.
class PrometheusProcess {
 public:
  explicit PrometheusProcess(const std::string& target) {
    WriteWholeFile(scratch_ / "prometheus.yml",
                   "global: { scrape_interval: 200ms, evaluation_interval: 200ms }\n"
                   "rule_files: ['" OPS_DIRECTORY
                   "/alerts.yml']\n"
                   "scrape_configs:\n"
                   "  - { job_name: cairn, static_configs: [{ targets: ['" +
                       target + "'] }] }\n");
    const std::string log = scratch_ / "log";
    const std::string config = "--config.file=" + scratch_ / "prometheus.yml";
    const std::string storage = "--storage.tsdb.path=" + scratch_ / "data";
    WriteWholeFile(log, "");
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(open(log.c_str(), O_WRONLY | O_APPEND), STDERR_FILENO);
      execlp("prometheus", "prometheus", config.c_str(), storage.c_str(),
             "--web.listen-address=127.0.0.1:0", nullptr);
      _exit(127);
    }
    constexpr std::string_view kListening = "msg=\"Listening on\" address=";
    EXPECT_TRUE(Await([&] {
      const std::string text = ReadWholeFile(log);
      const size_t at = text.find(kListening);
      const size_t end = text.find('\n', at);
      if (at == std::string::npos || end == std::string::npos) return false;
      address_ = text.substr(at + kListening.size(), end - at - kListening.size());
      return true;
    })) << ReadWholeFile(log);
  }
  ~PrometheusProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  // Null until it answers.
  nlohmann::json Get(const std::string& path) const {
    env::RawClient client(address_);
    client.Send("GET " + path + " HTTP/1.0\r\nHost: x\r\n\r\n");
    const std::string answer = client.ReceiveAll();
    const size_t body = answer.find("\r\n\r\n");
    if (body == std::string::npos) return {};
    return nlohmann::json::parse(answer.substr(body + 4), nullptr, false);
  }
  // The value of the only series that `query` finds; "" when there is not one.
  std::string Value(const std::string& query) const {
    const nlohmann::json answer = Get("/api/v1/query?query=" + query);
    if (!answer.is_object() || answer.value("status", "") != "success") return "";
    const auto& found = answer["data"]["result"];
    return found.size() == 1 ? found[0]["value"][1].get<std::string>() : "";
  }

 private:
  const ScratchDir scratch_;
  pid_t pid_ = 0;
  std::string address_;
};

TEST(PrometheusTest, ScrapesANodeAndRaisesItsAlerts) {
  const ScratchDir scratch;
  ServerProcess server(scratch / "data");
  server.Start();
  const auto created = Admin(server.NewClient()).CreateTopic({.name = "t"});
  ASSERT_TRUE(created.ok()) << created.status();
  {
    auto producer = Producer::Create(server.NewClient(), {.topic = "t"});
    ASSERT_TRUE(producer.ok()) << producer.status();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE((*producer)->Produce({.value = "x"}).ok());
    ASSERT_TRUE((*producer)->Flush().ok());
  }
  const PrometheusProcess prometheus(server.address());
  const auto becomes = [&](const std::string& query, const std::string& value) {
    const bool did = Await([&] { return prometheus.Value(query) == value; });
    EXPECT_TRUE(did) << query << " is " << prometheus.Value(query);
  };
  becomes("up{job=%22cairn%22}", "1");
  becomes("cairn_partition_produced_records_total{topic=%22t%22}", "3");
  becomes("cairn_ready", "1");

  // Each rule has been evaluated, and none found fault with a node that is well.
  ASSERT_TRUE(Await([&] {
    const auto answer = prometheus.Get("/api/v1/rules");
    if (!answer.is_object() || answer["data"]["groups"].empty()) return false;
    const auto& rules = answer["data"]["groups"][0]["rules"];
    return std::all_of(rules.begin(), rules.end(), [](const auto& rule) {
      return rule["health"] == "ok" && rule["state"] == "inactive";
    });
  })) << prometheus.Get("/api/v1/rules").dump(1);

  server.Kill();
  becomes("up{job=%22cairn%22}", "0");
  becomes("ALERTS{alertname=%22CairnNodeDown%22}", "1");
}

}  // namespace
}  // namespace cairn::testing
