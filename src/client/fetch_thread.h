// FetchThread: one ConsumeStream and its successors after lost connections, read ahead on a thread
// of its own.
//
// Reads from any replica, the next one when a stream breaks. A replica may not have yet what
// another one has shown: reading then goes on at the leader, with linearizable requests, since who
// is thought to lead may have been followed by another by now.
//
// Sits between Consumer, which takes responses out, and gRPC. Bounded: it stops reading while it
// holds `prefetch_bytes`, and the stream's flow control then stops the broker.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "cairn/consumer.h"
#include "client/client_impl.h"

namespace grpc {
class ClientContext;
}
namespace cairn::logapi::v1 {
class ConsumeResponse;
}

namespace cairn::client {

// Take, Recycle and Ready are for one thread; Cancel for any.
class FetchThread {
 public:
  using Response = std::unique_ptr<logapi::v1::ConsumeResponse>;
  enum class Outcome { kResponse, kTimeout, kOver };

  // `options.start` is an offset, the earliest record or a timestamp. `end`, with stop_at_end: the
  // high watermark to read up to, and who named it.
  FetchThread(std::shared_ptr<Client> client, ConsumerOptions options, LogRange end);
  // Cancels and joins.
  ~FetchThread();

  // The next response, in order. kOver when none will come: status() says why, OK at the end.
  // timeout_ms -1 waits without end.
  Outcome Take(Response& response, int64_t timeout_ms);
  // Gives a response back, to be filled again.
  void Recycle(Response response);
  bool ready() const;
  absl::Status status() const;
  void Cancel();

 private:
  void Run();
  // Reads one stream to its end and returns how it ended.
  absl::Status ReadStream();
  Broker Choose();
  // Whether a stream that `ended` OK has brought everything up to the end.
  bool ReachedEnd() const;
  // Whether the broker just had less of the log than others have shown.
  bool IsBehind(const absl::Status& ended) const;
  bool Push(Response response);
  Response NewResponse();
  // Where the stream after `response` would go on.
  void Advance(const logapi::v1::ConsumeResponse& response);

  const std::shared_ptr<Client> client_;  // shared with the rest of the program
  const ConsumerOptions options_;
  const LogRange end_;

  // Of the fetch thread.
  std::optional<uint64_t> next_offset_;  // behind what was fetched
  bool progress_ = false;                // since the last connection
  std::string address_;                  // of the last connection
  bool linearizable_ = false;            // and only who leads could answer it
  bool want_leader_ = false;             // the next one has to

  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Response> fetched_ CAIRN_GUARDED_BY(mutex_);
  size_t fetched_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::vector<Response> spare_ CAIRN_GUARDED_BY(mutex_);
  bool over_ CAIRN_GUARDED_BY(mutex_) = false;
  absl::Status status_ CAIRN_GUARDED_BY(mutex_);
  bool cancelled_ CAIRN_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ CAIRN_GUARDED_BY(mutex_) = nullptr;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace cairn::client
