// Joiner: asks the members it is told of, one after the other and again, until one lets this node
// into the cluster.
//
// Runs on one executor. The pause between rounds grows, with jitter, to a limit; it never gives up,
// but for an answer that will not change (the name is taken, the cluster is another).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "cluster/peer_methods.h"
#include "consensus/peer_transport.h"
#include "env/executor.h"
#include "env/random.h"

namespace cairn::cluster {

class Joiner : public std::enable_shared_from_this<Joiner> {
 public:
  struct Dependencies {
    consensus::PeerTransport* transport;
    env::Executor* executor;
    env::Random* random;
    // Whom to ask, looked up anew for each round; may be empty now.
    std::function<std::vector<std::string>()> addresses;
    JoinRequest request;
    // Let in: on the executor. After an error, which is of the disk, it is called again.
    absl::AnyInvocable<absl::Status(const JoinResponse&)> joined;
    // An address did not let us in, yet.
    absl::AnyInvocable<void(const std::string& address, const absl::Status& why)> refused;
  };
  explicit Joiner(Dependencies dependencies) : dependencies_(std::move(dependencies)) {}

  void Start();
  void Stop() { stopped_ = true; }

 private:
  void AskNext();
  void Pause();
  void OnAnswer(const std::string& address, const absl::StatusOr<std::string>& answer);

  Dependencies dependencies_;
  std::vector<std::string> round_;  // to be asked before the next pause, the last first
  int64_t pause_ms_ = 0;
  bool stopped_ = false;
};

}  // namespace cairn::cluster
