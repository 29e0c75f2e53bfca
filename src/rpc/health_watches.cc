#include "rpc/health_watches.h"

#include <cstring>

namespace cairn::rpc {

// Lives as long as its call.
class HealthWatches::Watch final : public grpc::experimental::Interceptor {
 public:
  Watch(HealthWatches& watches, grpc::ServerContextBase* call) : watches_(watches), call_(call) {
    watches_.Add(call_);
  }
  ~Watch() override { watches_.Remove(call_); }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    methods->Proceed();
  }

 private:
  HealthWatches& watches_;
  grpc::ServerContextBase* const call_;
};

class HealthWatches::Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(HealthWatches& watches) : watches_(watches) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    if (std::strcmp(info->method(), "/grpc.health.v1.Health/Watch") != 0) return nullptr;
    return new Watch(watches_, info->server_context());  // gRPC owns it
  }

 private:
  HealthWatches& watches_;
};

std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
HealthWatches::Interceptors() {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<Factory>(*this));
  return interceptors;
}

void HealthWatches::Add(grpc::ServerContextBase* call) {
  base::MutexLock lock(mutex_);
  open_.insert(call);
  if (ending_) call->TryCancel();
}

void HealthWatches::Remove(grpc::ServerContextBase* call) {
  base::MutexLock lock(mutex_);
  open_.erase(call);
}

void HealthWatches::EndAll() {
  base::MutexLock lock(mutex_);
  ending_ = true;
  for (grpc::ServerContextBase* call : open_) call->TryCancel();
}

}  // namespace cairn::rpc
