#include "server/rpc_metrics.h"

#include <google/protobuf/descriptor.h>

#include "base/strings.h"
#include "cairn/v1/admin.grpc.pb.h"
#include "log/v1/log.grpc.pb.h"

namespace cairn::server {

using telemetry::Metric;

RpcMetrics::RpcMetrics(rpc::RpcObserver& next) : next_(next) {
  for (const char* service :
       {logapi::v1::Log::service_full_name(), cairn::v1::Admin::service_full_name()}) {
    const auto* descriptor =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service);
    for (int i = 0; i < descriptor->method_count(); ++i) {
      methods_.emplace_back(base::StrCat("/", service, "/", descriptor->method(i)->name()));
      by_name_.emplace(methods_.back().name, &methods_.back());
    }
  }
}

void RpcMetrics::OnRpcEnd(std::string_view method, absl::StatusCode code, int64_t duration_ns) {
  const auto found = by_name_.find(method);
  const auto index = static_cast<size_t>(code);
  if (found == by_name_.end() || index >= kCodes) return;
  found->second->codes[index].Add();
  found->second->duration_ns.Observe(duration_ns);
}

void RpcMetrics::AddTo(telemetry::Samples& samples) const {
  for (const Method& method : methods_) {
    for (size_t i = 0; i < kCodes; ++i) {
      const uint64_t count = method.codes[i].value();
      if (count == 0 && i != 0) continue;
      samples.Add(Metric::kRpcRequests, count,
                  {method.name, absl::StatusCodeToString(static_cast<absl::StatusCode>(i))});
    }
    samples.Add(Metric::kRpcDuration, method.duration_ns, {method.name});
  }
}

}  // namespace cairn::server
