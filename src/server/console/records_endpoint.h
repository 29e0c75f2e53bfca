// RecordsEndpoint: GET /records.json: a few records of a partition, for a browser; waits for the
// next ones, if it is asked to.
//
// Between the HTTP server, on the network's loop, and the partition, which is read on an executor
// of the console's own: what people look at takes no reader's thread from clients. Each request
// that was let in is a Poll, which lives on the executor until it is answered, its client goes, its
// time is over, or the endpoint stops.
#pragma once

#include <atomic>
#include <memory>
#include <set>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "broker/broker.h"
#include "env/clock.h"
#include "env/executor.h"
#include "http/route_table.h"
#include "rpc/rpc_observer.h"
#include "server/console/own_hosts.h"
#include "server/console/records_json.h"
#include "server/console/records_query.h"
#include "server/http_guard.h"

namespace cairn::server {

// Polls at a time. Fewer than the connections of the HTTP server, so that health checks and scrapes
// find room whoever looks at records.
inline constexpr size_t kMaxPolls = 128;

// Lives in a shared_ptr: answers come from the shards after whoever asked has gone.
class RecordsEndpoint : public std::enable_shared_from_this<RecordsEndpoint> {
 public:
  struct Dependencies {
    const broker::Broker* broker;
    env::Executor* executor;  // may block
    env::Clock* clock;
    rpc::RpcObserver* observer;  // hears of each request as of an RPC
    HttpGuard guard;
    const OwnHosts* own_hosts;  // nullptr: whatever the browser calls this node
  };
  // All of it outlives the endpoint's Stop; the executor and the clock outlive the endpoint.
  explicit RecordsEndpoint(Dependencies dependencies);
  ~RecordsEndpoint();

  void AddTo(http::RouteTable& routes);

  // Answers what waits, and everything from then on, with SHUTTING_DOWN; touches no partition any
  // more. `done` runs on the executor.
  void Stop(absl::AnyInvocable<void()> done);

 private:
  struct Poll;
  using PollPtr = std::shared_ptr<Poll>;

  // On the network's loop.
  http::RouteTable::Abandon Ask(const http::Request& request, http::RouteTable::Respond respond);
  absl::Status Admit(Poll& poll);
  // To the observer; any thread.
  void Report(const Poll& poll, const absl::Status& status) const;

  // On the executor.
  void Begin(const PollPtr& poll);
  void Read(const PollPtr& poll);
  static absl::Status ReadInto(RecordsWriter& writer, const Poll& poll);
  void Wait(const PollPtr& poll);
  void OnData(const PollPtr& poll, const absl::Status& status);
  void Finish(const PollPtr& poll, const absl::Status& status, std::string json = {});
  // Lets go of what the poll holds, without an answer.
  void Release(const PollPtr& poll, const absl::Status& status);

  const Dependencies dependencies_;
  std::atomic<size_t> admitted_{0};
  // On the executor.
  std::set<PollPtr> polls_;
  bool stopped_ = false;
};

}  // namespace cairn::server
