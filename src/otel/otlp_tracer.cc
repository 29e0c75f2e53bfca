#include "otel/otlp_tracer.h"

#include <opentelemetry/common/key_value_iterable.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_exporter_options.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_options.h>
#include <opentelemetry/sdk/instrumentationscope/instrumentation_scope.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/batch_span_processor_factory.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/processor.h>
#include <opentelemetry/sdk/trace/random_id_generator_factory.h>
#include <opentelemetry/sdk/trace/recordable.h>
#include <opentelemetry/sdk/trace/sampler.h>
#include <opentelemetry/sdk/trace/samplers/always_off_factory.h>
#include <opentelemetry/sdk/trace/samplers/always_on_factory.h>
#include <opentelemetry/sdk/trace/samplers/parent_factory.h>
#include <opentelemetry/sdk/trace/samplers/trace_id_ratio_factory.h>
#include <opentelemetry/trace/span_context.h>
#include <opentelemetry/trace/span_context_kv_iterable.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

#include "otel/left_behind.h"
#include "otel/sdk_log.h"
#include "otel/sdk_settings.h"

namespace cairn::otel {
namespace {

namespace api = opentelemetry::trace;
namespace nostd = opentelemetry::nostd;
namespace otlp = opentelemetry::exporter::otlp;
namespace sdk = opentelemetry::sdk;
using sdk::common::ExportResult;
using sdk::trace::Recordable;
using telemetry::SpanKind;

// Of a text that came from outside, such as a topic's name, a span shows the beginning.
constexpr size_t kMaxTextBytes = 1024;
// How far wall clock and monotonic clock may drift apart before spans follow: keeps spans of one
// moment in their order.
constexpr int64_t kMaxDriftNs = 1'000'000;

nostd::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::unique_ptr<sdk::trace::SpanExporter> MakeExporter(const Target& target) {
  if (target.protocol == Protocol::kGrpc) {
    return otlp::OtlpGrpcExporterFactory::Create(
        GrpcOptionsFor<otlp::OtlpGrpcExporterOptions>(target));
  }
  return otlp::OtlpHttpExporterFactory::Create(
      HttpOptionsFor<otlp::OtlpHttpExporterOptions>(target));
}

std::unique_ptr<sdk::trace::Sampler> MakeSampler(const Sampling& sampling) {
  std::unique_ptr<sdk::trace::Sampler> root =
      sampling.ratio == 1   ? sdk::trace::AlwaysOnSamplerFactory::Create()
      : sampling.ratio == 0 ? sdk::trace::AlwaysOffSamplerFactory::Create()
                            : sdk::trace::TraceIdRatioBasedSamplerFactory::Create(sampling.ratio);
  if (!sampling.parent) return root;
  return sdk::trace::ParentBasedSamplerFactory::Create(std::move(root));
}

api::TraceId ToApi(const base::TraceId& id) {
  return api::TraceId(nostd::span<const uint8_t, api::TraceId::kSize>(id.data(), id.size()));
}
api::SpanId ToApi(const base::SpanId& id) {
  return api::SpanId(nostd::span<const uint8_t, api::SpanId::kSize>(id.data(), id.size()));
}
base::TraceId FromApi(const api::TraceId& id) {
  base::TraceId bytes;
  std::copy(id.Id().begin(), id.Id().end(), bytes.begin());
  return bytes;
}
base::SpanId FromApi(const api::SpanId& id) {
  base::SpanId bytes;
  std::copy(id.Id().begin(), id.Id().end(), bytes.begin());
  return bytes;
}
api::SpanContext ToApi(const base::TraceContext& context, bool is_remote) {
  return {ToApi(context.trace_id), ToApi(context.span_id),
          api::TraceFlags(context.sampled ? api::TraceFlags::kIsSampled : 0), is_remote};
}

api::SpanKind ToApi(SpanKind kind) {
  switch (kind) {
    case SpanKind::kServer:
      return api::SpanKind::kServer;
    case SpanKind::kClient:
      return api::SpanKind::kClient;
    case SpanKind::kProducer:
      return api::SpanKind::kProducer;
    case SpanKind::kConsumer:
      return api::SpanKind::kConsumer;
    case SpanKind::kInternal:
      break;
  }
  return api::SpanKind::kInternal;
}

int64_t WallNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

class OtlpTracer::Impl {
 public:
  Impl(const Options& options, const env::Clock& clock, std::shared_ptr<ExportCounters> counters)
      : clock_(clock),
        counters_(std::move(counters)),
        max_queued_(options.max_queued_spans),
        sampler_(MakeSampler(options.sampling)),
        ids_(sdk::trace::RandomIdGeneratorFactory::Create()),
        resource_(sdk::resource::Resource::Create(
            AttributesFor<sdk::resource::ResourceAttributes>(options))),
        scope_(sdk::instrumentationscope::InstrumentationScope::Create("cairn")),
        wall_minus_monotonic_ns_(WallNs() - clock.MonotonicNs()) {
    sdk::trace::BatchSpanProcessorOptions batching;
    batching.max_queue_size = options.max_queued_spans;
    batching.max_export_batch_size = options.max_batch_spans;
    batching.schedule_delay_millis = std::chrono::milliseconds(options.schedule_delay_ms);
    processor_ = sdk::trace::BatchSpanProcessorFactory::Create(
        std::make_unique<Counting>(*this, MakeExporter(options.traces)), batching);
  }

  base::TraceContext Begin(const base::TraceContext& caller) {
    const bool has_caller = caller.valid();
    base::TraceContext context = has_caller ? caller : base::TraceContext();
    if (!has_caller) context.trace_id = FromApi(ids_->GenerateTraceId());
    const sdk::trace::SamplingResult result = sampler_->ShouldSample(
        has_caller ? ToApi(caller, true) : api::SpanContext::GetInvalid(), ToApi(context.trace_id),
        "", api::SpanKind::kServer, opentelemetry::common::NoopKeyValueIterable(),
        api::NullSpanContext());
    context.sampled = result.decision == sdk::trace::Decision::RECORD_AND_SAMPLE;
    if (context.sampled) {
      context.span_id = FromApi(ids_->GenerateSpanId());
    } else if (!has_caller) {
      return {};
    }
    return context;
  }

  base::TraceContext ChildOf(const base::TraceContext& parent) {
    base::TraceContext context = parent;
    context.span_id = FromApi(ids_->GenerateSpanId());
    return context;
  }

  void End(const telemetry::Span& span) {
    if (stopped_ || pending_.fetch_add(1) >= max_queued_) {
      pending_.fetch_sub(1);
      counters_->spans_dropped.Add();
      return;
    }
    std::unique_ptr<Recordable> recordable = processor_->MakeRecordable();
    recordable->SetIdentity(ToApi(span.context, false), ToApi(span.parent));
    recordable->SetTraceFlags(api::TraceFlags(api::TraceFlags::kIsSampled));
    recordable->SetName(View(span.name));
    recordable->SetSpanKind(ToApi(span.kind));
    const std::chrono::nanoseconds start(span.start_ns + WallMinusMonotonic());
    recordable->SetStartTime(opentelemetry::common::SystemTimestamp(start));
    recordable->SetDuration(std::chrono::nanoseconds(span.end_ns - span.start_ns));
    if (!span.status.ok()) {
      const absl::string_view why = span.status.message().substr(0, kMaxTextBytes);
      recordable->SetStatus(api::StatusCode::kError, {why.data(), why.size()});
      recordable->SetAttribute("error.type", View(absl::StatusCodeToString(span.status.code())));
    }
    for (const telemetry::SpanAttribute& attribute : span.attributes) {
      if (const auto* number = std::get_if<int64_t>(&attribute.value)) {
        recordable->SetAttribute(View(attribute.key), *number);
      } else {
        const std::string_view text = std::get<std::string>(attribute.value);
        recordable->SetAttribute(View(attribute.key), View(text.substr(0, kMaxTextBytes)));
      }
    }
    recordable->SetResource(resource_);
    recordable->SetInstrumentationScope(*scope_);
    processor_->OnEnd(std::move(recordable));
  }

  // True the first time. What ends from now on is dropped.
  bool BeginStop() { return !stopped_.exchange(true); }
  // Blocking: exports what is queued, as long as GiveUp was not called.
  void Drain() { processor_->Shutdown(); }
  void GiveUp() { given_up_ = true; }

 private:
  // Between the processor and the SDK's exporter.
  class Counting final : public sdk::trace::SpanExporter {
   public:
    Counting(Impl& impl, std::unique_ptr<sdk::trace::SpanExporter> exporter)
        : impl_(impl), exporter_(std::move(exporter)) {}

    std::unique_ptr<Recordable> MakeRecordable() noexcept override {
      return exporter_->MakeRecordable();
    }
    ExportResult Export(const nostd::span<std::unique_ptr<Recordable>>& spans) noexcept override {
      const size_t count = spans.size();
      const SdkErrorWatch errors;
      const bool good =
          !impl_.given_up_ && exporter_->Export(spans) == ExportResult::kSuccess && !errors.seen();
      ExportCounters& counters = *impl_.counters_;
      (good ? counters.spans_exported : counters.spans_failed).Add(count);
      impl_.pending_.fetch_sub(count);
      return good ? ExportResult::kSuccess : ExportResult::kFailure;
    }
    bool ForceFlush(std::chrono::microseconds timeout) noexcept override {
      return exporter_->ForceFlush(timeout);
    }
    bool Shutdown(std::chrono::microseconds timeout) noexcept override {
      return exporter_->Shutdown(timeout);
    }

   private:
    Impl& impl_;
    const std::unique_ptr<sdk::trace::SpanExporter> exporter_;
  };

  // What to add to a monotonic time for one since 1970; changes only when the wall clock was set.
  int64_t WallMinusMonotonic() {
    const int64_t now = WallNs() - clock_.MonotonicNs();
    int64_t used = wall_minus_monotonic_ns_.load(std::memory_order_relaxed);
    if (std::abs(now - used) <= kMaxDriftNs) return used;
    wall_minus_monotonic_ns_.store(now, std::memory_order_relaxed);
    return now;
  }

  const env::Clock& clock_;
  const std::shared_ptr<ExportCounters> counters_;
  const size_t max_queued_;
  const std::unique_ptr<sdk::trace::Sampler> sampler_;
  const std::unique_ptr<sdk::trace::IdGenerator> ids_;
  // What is queued points to these two.
  const sdk::resource::Resource resource_;
  const nostd::unique_ptr<sdk::instrumentationscope::InstrumentationScope> scope_;
  std::atomic<int64_t> wall_minus_monotonic_ns_;
  std::atomic<size_t> pending_{0};  // queued, or being exported
  std::atomic<bool> stopped_{false};
  std::atomic<bool> given_up_{false};
  std::unique_ptr<sdk::trace::SpanProcessor> processor_;
};

OtlpTracer::OtlpTracer(const Options& options, const env::Clock& clock,
                       std::shared_ptr<ExportCounters> counters)
    : impl_(std::make_shared<Impl>(options, clock, std::move(counters))) {}

OtlpTracer::~OtlpTracer() { Stop(); }

base::TraceContext OtlpTracer::Begin(const base::TraceContext& caller) {
  return impl_->Begin(caller);
}
base::TraceContext OtlpTracer::ChildOf(const base::TraceContext& parent) {
  return impl_->ChildOf(parent);
}
void OtlpTracer::End(telemetry::Span span) { impl_->End(span); }

void OtlpTracer::Stop() {
  if (!impl_->BeginStop()) return;
  // The SDK waits for an export that is under way, however long its collector takes: so that is
  // waited for by a thread which may be left behind.
  std::promise<void> drained;
  std::future<void> done = drained.get_future();
  std::thread drain([impl = impl_, drained = std::move(drained)]() mutable {
    impl->Drain();
    drained.set_value();
  });
  if (done.wait_for(std::chrono::milliseconds(kStopMs)) == std::future_status::ready) {
    return drain.join();
  }
  impl_->GiveUp();
  export_left_behind = true;
  drain.detach();
}

}  // namespace cairn::otel
