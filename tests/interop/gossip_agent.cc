// A node that only gossips, for tests against real Serf agents.
//
//   gossip_agent NAME BIND_ADDRESS [--join ADDRESS]... [--key BASE64] [--tag NAME=VALUE]...
//
// Prints what happens, a line each. Commands on stdin: members | event NAME PAYLOAD |
// query NAME PAYLOAD | tag NAME=VALUE | join ADDRESS | force-leave NAME | keys | install-key BASE64
// | leave. Answers the query "echo" with its payload. Ends with stdin or after "leave".
#include <cstdio>
#include <future>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "base/strings.h"
#include "env/event_loop.h"
#include "env/posix.h"
#include "gossip/transport/gossip_node.h"

namespace cairn::gossip {
namespace {

void Print(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

std::string Describe(const SerfMember& member) {
  std::string text =
      base::StrCat(member.name, " ", member.address.ToString(), " ", ToString(member.status));
  for (const auto& [name, value] : member.tags) text += base::StrCat(" ", name, "=", value);
  return text;
}

class Agent {
 public:
  explicit Agent(env::EventLoop& loop) : loop_(loop) {}

  absl::Status Start(const std::string& address, SerfConfig config) {
    auto node =
        GossipNode::Start(address, std::move(config), loop_, loop_, env::SystemClock(),
                          env::SystemRandom(), [this](const SerfEvent& event) { OnEvent(event); });
    if (!node.ok()) return node.status();
    node_ = *std::move(node);
    Print("listening on " + node_->local_address());
    return absl::OkStatus();
  }
  void Stop() { node_.reset(); }

  // Runs on the loop. `left` is called when a leave is done.
  void Run(const std::string& line, const std::function<void()>& left) {
    std::istringstream words(line);
    std::string command, name, rest;
    words >> command >> name;
    std::getline(words >> std::ws, rest);
    node_->With([&](Serf& serf) {
      absl::Status status;
      if (command == "members") {
        for (const auto& [_, member] : serf.members()) Print("member " + Describe(member));
        Print("members done");
      } else if (command == "event") {
        status = serf.SendEvent(name, rest, false);
      } else if (command == "query") {
        status = serf.Ask({.name = name, .payload = rest, .wants_acks = true},
                          {[](const std::string& from) { Print("ack " + from); },
                           [](const std::string& from, const std::string& payload) {
                             Print("response " + from + " " + payload);
                           },
                           [] { Print("query done"); }});
      } else if (command == "tag") {
        const size_t equals = name.find('=');
        status = serf.SetTags({{name.substr(0, equals), name.substr(equals + 1)}});
      } else if (command == "join") {
        serf.Join(Address::Parse(name).value(), false,
                  [](absl::Status s) { Print("join " + s.ToString()); });
      } else if (command == "force-leave") {
        status = serf.ForceLeave(name, false);
      } else if (command == "keys" || command == "install-key") {
        const bool list = command == "keys";
        status = serf.AskKeys(list ? KeyOperation::kList : KeyOperation::kInstall,
                              list ? "" : ParseKey(name).value_or(""), [](KeyResult r) {
                                Print(base::StrCat("keys answers=", r.answers, " errors=", r.errors,
                                                   " keys=", r.keys.size()));
                              });
      } else if (command == "leave") {
        serf.Leave([left] {
          Print("left");
          left();
        });
      } else {
        Print("unknown command");
      }
      if (!status.ok()) Print("error " + status.ToString());
    });
  }

 private:
  void OnEvent(const SerfEvent& event) {
    if (const auto* change = std::get_if<MemberEvent>(&event)) {
      Print(base::StrCat(ToString(change->change), " ", Describe(change->member)));
    } else if (const auto* user = std::get_if<UserEvent>(&event)) {
      Print("event " + user->name + " " + user->payload);
    } else if (const auto* query = std::get_if<IncomingQuery>(&event)) {
      Print("query " + query->name + " " + query->payload);
      if (query->name == "echo") {
        node_->With([&](Serf& serf) { return serf.Respond(query->handle, query->payload); })
            .IgnoreError();
      }
    } else if (std::holds_alternative<KeyringChanged>(event)) {
      Print("keyring changed");
    } else {
      Print("name lost");
    }
  }

  env::EventLoop& loop_;
  std::unique_ptr<GossipNode> node_;
};

int Main(int argc, char** argv) {
  if (argc < 3) return 2;
  SerfConfig config;
  config.swim.name = argv[1];
  std::vector<std::string> joins;
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const std::string value = argv[i + 1];
    if (option == "--join") joins.push_back(value);
    if (option == "--key") config.keys.push_back(ParseKey(value).value());
    if (option == "--tag")
      config.tags[value.substr(0, value.find('='))] = value.substr(value.find('=') + 1);
  }
  env::EventLoop loop("gossip");
  Agent agent(loop);
  if (const absl::Status status = agent.Start(argv[2], std::move(config)); !status.ok()) {
    std::cerr << status << "\n";
    return 1;
  }
  auto over = std::make_shared<std::promise<void>>();
  const auto left = [over] { over->set_value(); };
  for (const std::string& join : joins) {
    loop.Post([&, join] { agent.Run("join " + join, left); });
  }
  bool leaving = false;
  for (std::string line; !leaving && std::getline(std::cin, line);) {
    leaving = line == "leave";
    loop.Post([&agent, line, left] { agent.Run(line, left); });
  }
  if (leaving) over->get_future().wait();
  std::promise<void> stopped;
  loop.Post([&] {
    agent.Stop();
    stopped.set_value();
  });
  stopped.get_future().wait();
  return 0;
}

}  // namespace
}  // namespace cairn::gossip

int main(int argc, char** argv) { return cairn::gossip::Main(argc, argv); }
