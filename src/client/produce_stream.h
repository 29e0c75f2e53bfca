// One ProduceStream call: requests out, responses in, each at its own pace.
//
// Sits between PartitionSender and gRPC's callback API, whose rules it keeps: one write at a time,
// the call object lives until gRPC says so. The methods may be called from any thread.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "client/open_calls.h"

namespace grpc {
class Channel;
}
namespace cairn::logapi::v1 {
class ProduceRequest;
class ProduceResponse;
}  // namespace cairn::logapi::v1

namespace cairn::client {

class ProduceStream {
 public:
  // Called on gRPC's threads. OnResponse calls follow each other; OnWritten may come beside them.
  class Handler {
   public:
    virtual ~Handler() = default;
    // The request passed to Write may go. `ok` is false when the stream is broken.
    virtual void OnWritten(bool ok) = 0;
    virtual void OnResponse(const logapi::v1::ProduceResponse& response) = 0;
    // No response will come any more, and Write must not be begun again. OnClosed follows once a
    // write that was begun has ended.
    virtual void OnBroken() = 0;
    // The last call; the stream may not be used any more when it returns.
    virtual void OnClosed(absl::Status status) = 0;
  };

  // Begins the call. The stream owns itself. `handler` outlives it: `open` counts it as long as it
  // lives.
  static ProduceStream* Start(const std::shared_ptr<grpc::Channel>& channel, Handler& handler,
                              std::shared_ptr<OpenCalls> open);

  // Announces a Write, so that the stream lives until OnWritten. Not after OnBroken: the caller
  // holds the lock under which it handles OnBroken.
  virtual void BeginWrite() = 0;
  // Sends `request`, which stays unchanged until OnWritten. One at a time, each after its
  // BeginWrite.
  virtual void Write(const logapi::v1::ProduceRequest& request) = 0;
  // Half-closes: the broker ends the stream when it has answered everything. As Write: after a
  // BeginWrite; it is followed by OnWritten.
  virtual void Finish() = 0;
  // Ends the call at once. Not after OnClosed began.
  virtual void Cancel() = 0;

 protected:
  virtual ~ProduceStream() = default;
};

}  // namespace cairn::client
