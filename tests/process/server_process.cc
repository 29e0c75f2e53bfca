#include "process/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

#include "env/raw_client.h"

namespace cairn::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);
constexpr char kListening[] = "listening on ";

bool CanListen(int type, uint16_t port) {
  const int socket_fd = socket(AF_INET, type, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool can = bind(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(socket_fd);
  return can;
}

// One that is free, and below those that the kernel gives to connections: a server that is started
// again must not find a client of another test at its address.
std::string OwnPort() {
  constexpr uint32_t kFirst = 10'000;
  constexpr uint32_t kPorts = 20'000;
  static uint32_t next = static_cast<uint32_t>(getpid()) * 101;
  for (uint32_t tried = 0; tried < kPorts; ++tried) {
    const auto port = static_cast<uint16_t>(kFirst + next++ % kPorts);
    if (CanListen(SOCK_STREAM, port) && CanListen(SOCK_DGRAM, port)) return std::to_string(port);
  }
  return "0";
}

}  // namespace

ServerProcess::~ServerProcess() {
  if (pid_ > 0) Kill();
}

void ServerProcess::Start(const std::vector<std::string>& prefix,
                          const std::vector<std::string>& extra_flags) {
  ASSERT_TRUE(TryStart(prefix, extra_flags)) << events();
}

bool ServerProcess::TryStart(const std::vector<std::string>& prefix,
                             const std::vector<std::string>& extra_flags) {
  const std::string port = address_.empty() ? OwnPort() : address_.substr(address_.rfind(':') + 1);
  std::vector<std::string> arguments = prefix;
  for (const std::string& part :
       Cairn({"server", "--data-dir", data_dir_, "--rpc-port", port, "--log-format", "json"})) {
    arguments.push_back(part);
  }
  arguments.insert(arguments.end(), extra_flags.begin(), extra_flags.end());
  if (std::find(extra_flags.begin(), extra_flags.end(), "--bind-addr") == extra_flags.end()) {
    const std::string gossip = gossip_address_.empty() ? "127.0.0.1:" + OwnPort() : gossip_address_;
    arguments.insert(arguments.end(), {"--bind-addr", gossip});
  }
  const std::string out = scratch_ / "out";
  const std::string err = scratch_ / "err";
  WriteWholeFile(out, "");
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // no server outlives a test that crashed
    dup2(open(out.c_str(), O_WRONLY | O_TRUNC), STDOUT_FILENO);
    dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const std::string text = ReadWholeFile(out);
    if (const size_t at = text.find(kListening); at != std::string::npos && text.back() == '\n') {
      address_ = text.substr(at + sizeof(kListening) - 1);
      address_.resize(address_.find('\n'));
      // Known members come back under the address they had.
      constexpr std::string_view kGossip = "\"gossip_address\":\"";
      const std::string log = ReadWholeFile(err);
      if (const size_t found = log.rfind(kGossip); found != std::string::npos) {
        gossip_address_ = log.substr(found + kGossip.size());
        gossip_address_.resize(gossip_address_.find('"'));
      }
      return true;
    }
    if (Ended()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ADD_FAILURE() << "the server neither listens nor ends";
  return false;
}

void ServerProcess::Kill() {
  Signal(SIGKILL);
  Wait();
}

void ServerProcess::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

bool ServerProcess::Ended() {
  if (pid_ <= 0) return true;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return false;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = 0;
  return true;
}

int ServerProcess::Wait() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!Ended()) {
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "the server does not end";
      kill(pid_, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return exit_code_;
}

std::string ServerProcess::log() const { return ReadWholeFile(scratch_ / "err"); }

std::string ServerProcess::events() const {
  std::istringstream lines(log());
  std::string events;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("\"msg\":\"rpc\"") == std::string::npos &&
        line.find("\"msg\":\"stream ") == std::string::npos) {
      events += line + "\n";
    }
  }
  return events;
}

std::shared_ptr<Client> ServerProcess::NewClient() const {
  auto client = Client::Create({.address = address_});
  EXPECT_TRUE(client.ok()) << client.status();
  return client.ok() ? *client : nullptr;
}

double ServerProcess::Metric(const std::string& name) const {
  env::RawClient client(address());
  client.Send("GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n");
  const std::string answer = client.ReceiveAll();
  const size_t at = answer.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(answer.substr(at + name.size() + 2));
}

}  // namespace cairn::testing
