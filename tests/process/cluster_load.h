// Producers and readers that keep a cluster busy while it suffers, and tell a History what they
// saw.
//
// A producer goes on at the next node when one fails it, with the same producer id and sequence: it
// never gives up. Half of them send one request at a time; the others keep several in flight on a
// ProduceStream, and send all that were not answered again, in order, on the next one.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "process/history.h"

namespace cairn::testing {

struct LoadOptions {
  std::string topic = "default";
  std::vector<std::string> addresses;  // of the nodes
  int producers = 4;
  int first_producer = 0;  // a history's producers are numbered
  // How long a producer waits for an answer before it tries elsewhere. A paused node answers
  // nothing.
  int64_t timeout_ms = 1'500;
};

class ClusterLoad {
 public:
  // Begins. `history` outlives the load.
  ClusterLoad(LoadOptions options, History& history);
  // Stops where it is.
  ~ClusterLoad();

  // Waits until `count` more records are acknowledged than there were at the call; fails the test
  // when that does not happen.
  void AwaitAcknowledged(size_t count);
  // Nothing new is produced; returns when all that was begun is acknowledged. Fails the test when
  // that does not happen.
  void Finish();
  const std::vector<std::string>& addresses() const { return options_.addresses; }

 private:
  void RunUnary(int producer);
  void RunStream(int producer);
  void RunReader(size_t node);
  int64_t AllocateProducerId(int producer);
  // Whether an error may be met while nodes fail; what may not is a fault of the history.
  bool MayRetry(int producer, const std::string& what, int code);

  const LoadOptions options_;
  History& history_;
  std::atomic<bool> stop_{false};     // nothing new
  std::atomic<bool> give_up_{false};  // nor anything old
  std::atomic<int> running_{0};
  std::vector<std::thread> threads_;
};

}  // namespace cairn::testing
