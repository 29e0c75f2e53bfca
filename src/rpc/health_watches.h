// HealthWatches: the calls of grpc.health.v1.Health/Watch that are open, which are gRPC's own: when
// the server stops they are ended, because their clients never end them.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <set>
#include <vector>

#include "base/mutex.h"

namespace cairn::rpc {

// Thread-safe. Outlives the server.
class HealthWatches {
 public:
  // What makes the server tell of them; costs other calls a comparison.
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
  Interceptors();

  // Those that are open end as CANCELLED, and those that come.
  void EndAll();

 private:
  class Factory;
  class Watch;

  void Add(grpc::ServerContextBase* call);
  void Remove(grpc::ServerContextBase* call);

  base::Mutex mutex_;
  bool ending_ CAIRN_GUARDED_BY(mutex_) = false;
  std::set<grpc::ServerContextBase*> open_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn::rpc
