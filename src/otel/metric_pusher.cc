#include "otel/metric_pusher.h"

#include <opentelemetry/exporters/otlp/otlp_grpc_metric_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_metric_exporter_options.h>
#include <opentelemetry/exporters/otlp/otlp_http_metric_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_metric_exporter_options.h>
#include <opentelemetry/sdk/instrumentationscope/instrumentation_scope.h>
#include <opentelemetry/sdk/metrics/data/metric_data.h>
#include <opentelemetry/sdk/metrics/export/metric_producer.h>
#include <opentelemetry/sdk/metrics/push_metric_exporter.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <pthread.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "otel/left_behind.h"
#include "otel/sdk_log.h"
#include "otel/sdk_settings.h"
#include "telemetry/metric_table.h"

namespace cairn::otel {
namespace {

namespace nostd = opentelemetry::nostd;
namespace otlp = opentelemetry::exporter::otlp;
namespace sdk = opentelemetry::sdk;
using opentelemetry::common::SystemTimestamp;
using sdk::common::ExportResult;
using std::chrono::steady_clock;
using telemetry::MetricKind;
using telemetry::MetricSpec;
using telemetry::Sample;
using telemetry::Samples;

// One request has this many points at most, some 200 bytes each: collectors refuse messages of more
// than 4 MiB unless they are told otherwise.
constexpr size_t kMaxPoints = 4096;

std::unique_ptr<sdk::metrics::PushMetricExporter> MakeExporter(const Target& target) {
  constexpr auto kTemporality = otlp::PreferredAggregationTemporality::kCumulative;
  if (target.protocol == Protocol::kGrpc) {
    auto options = GrpcOptionsFor<otlp::OtlpGrpcMetricExporterOptions>(target);
    options.aggregation_temporality = kTemporality;
    return otlp::OtlpGrpcMetricExporterFactory::Create(options);
  }
  auto options = HttpOptionsFor<otlp::OtlpHttpMetricExporterOptions>(target);
  options.aggregation_temporality = kTemporality;
  return otlp::OtlpHttpMetricExporterFactory::Create(options);
}

// In the codes of UCUM, which OTLP has units in.
std::string UnitOf(std::string_view unit) {
  if (unit == "bytes") return "By";
  if (unit.starts_with("seconds")) return "s";
  return unit.empty() ? "1" : "{" + std::string(unit) + "}";
}

sdk::metrics::InstrumentType TypeOf(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return sdk::metrics::InstrumentType::kObservableCounter;
    case MetricKind::kHistogram:
      return sdk::metrics::InstrumentType::kHistogram;
    case MetricKind::kGauge:
      break;
  }
  return sdk::metrics::InstrumentType::kObservableGauge;
}

sdk::metrics::PointType ToPoint(const MetricSpec& spec, const Sample& sample, SystemTimestamp now) {
  if (const auto* histogram = std::get_if<telemetry::HistogramValue>(&sample.value)) {
    sdk::metrics::HistogramPointData point;
    for (const int64_t bound : spec.buckets) {
      point.boundaries_.push_back(static_cast<double>(bound) * spec.scale);
    }
    point.counts_ = histogram->counts;
    for (const uint64_t count : histogram->counts) point.count_ += count;
    point.sum_ = histogram->sum;
    point.record_min_max_ = false;
    return point;
  }
  const double value = std::get<double>(sample.value);
  if (spec.kind == MetricKind::kCounter) {
    sdk::metrics::SumPointData point;
    point.value_ = value;
    point.is_monotonic_ = true;
    return point;
  }
  sdk::metrics::LastValuePointData point;
  point.value_ = value;
  point.is_lastvalue_valid_ = true;
  point.sample_ts_ = now;
  return point;
}

// Samples of one metric, [first, last).
sdk::metrics::MetricData ToData(const MetricSpec& spec, const std::vector<Sample>& samples,
                                size_t first, size_t last, SystemTimestamp start,
                                SystemTimestamp now) {
  sdk::metrics::MetricData data;
  data.instrument_descriptor = {.name_ = std::string(spec.name),
                                .description_ = std::string(spec.help),
                                .unit_ = UnitOf(spec.unit),
                                .type_ = TypeOf(spec.kind),
                                .value_type_ = sdk::metrics::InstrumentValueType::kDouble};
  data.aggregation_temporality = sdk::metrics::AggregationTemporality::kCumulative;
  data.start_ts = start;
  data.end_ts = now;
  for (size_t i = first; i < last; ++i) {
    sdk::metrics::PointDataAttributes& point = data.point_data_attr_.emplace_back();
    for (size_t label = 0; label < spec.labels.size(); ++label) {
      const std::string& value = samples[i].labels[label];
      point.attributes.SetAttribute({spec.labels[label].data(), spec.labels[label].size()},
                                    nostd::string_view(value.data(), value.size()));
    }
    point.point_data = ToPoint(spec, samples[i], now);
  }
  return data;
}

}  // namespace

class MetricPusher::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(const Options& options, Collect collect, std::shared_ptr<ExportCounters> counters)
      : interval_(options.metric_interval_ms),
        counters_(std::move(counters)),
        exporter_(MakeExporter(options.metrics)),
        resource_(sdk::resource::Resource::Create(
            AttributesFor<sdk::resource::ResourceAttributes>(options))),
        scope_(sdk::instrumentationscope::InstrumentationScope::Create("cairn")),
        collect_(std::move(collect)) {}

  void Start() {
    thread_ = std::thread([self = shared_from_this()] {
      pthread_setname_np(pthread_self(), "cairn-otlp");
      self->Run();
    });
  }

  void Stop() {
    {
      base::MutexLock lock(mutex_);
      if (std::exchange(stopping_, true)) return;
      changed_.NotifyAll();
      const auto deadline = steady_clock::now() + std::chrono::milliseconds(kStopMs);
      while (!ended_ && steady_clock::now() < deadline) {
        changed_.WaitFor(mutex_, deadline - steady_clock::now());
      }
      collect_ = nullptr;  // whom it asks may be gone from now on
      changed_.NotifyAll();
      if (!ended_) {  // in an export, which it ends by itself
        export_left_behind = true;
        return thread_.detach();
      }
    }
    thread_.join();
  }

 private:
  void Run() {
    while (WaitForInterval()) Push();
    Push();
    base::MutexLock lock(mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }

  // False: stopping.
  bool WaitForInterval() {
    base::MutexLock lock(mutex_);
    const auto until = steady_clock::now() + interval_;
    while (!stopping_ && steady_clock::now() < until) {
      changed_.WaitFor(mutex_, until - steady_clock::now());
    }
    return !stopping_;
  }

  std::optional<Samples> Ask() {
    base::MutexLock lock(mutex_);
    if (!collect_) return std::nullopt;
    collected_.reset();
    collect_([self = shared_from_this()](Samples samples) {
      base::MutexLock inner(self->mutex_);
      self->collected_.emplace(std::move(samples));
      self->changed_.NotifyAll();
    });
    while (!collected_ && collect_) changed_.Wait(mutex_);
    return std::exchange(collected_, std::nullopt);
  }

  void Push() {
    const std::optional<Samples> samples = Ask();
    if (!samples) return;
    const SystemTimestamp now(std::chrono::system_clock::now());
    bool good = true;
    size_t points = 0;
    std::vector<sdk::metrics::MetricData> metrics;
    const auto send = [&] {
      sdk::metrics::ResourceMetrics request;
      request.resource_ = &resource_;
      request.scope_metric_data_.emplace_back(scope_.get(), std::exchange(metrics, {}));
      points = 0;
      const SdkErrorWatch errors;
      good = good && exporter_->Export(request) == ExportResult::kSuccess && !errors.seen();
    };
    for (const MetricSpec& spec : telemetry::MetricTable()) {
      const std::vector<Sample>& of = samples->of(spec.id);
      for (size_t first = 0; first < of.size();) {
        const size_t last = std::min(of.size(), first + kMaxPoints - points);
        metrics.push_back(ToData(spec, of, first, last, start_, now));
        points += last - first;
        first = last;
        if (points == kMaxPoints) send();
      }
    }
    if (!metrics.empty()) send();
    (good ? counters_->pushes_exported : counters_->pushes_failed).Add();
  }

  const std::chrono::milliseconds interval_;
  const SystemTimestamp start_{std::chrono::system_clock::now()};
  const std::shared_ptr<ExportCounters> counters_;
  const std::unique_ptr<sdk::metrics::PushMetricExporter> exporter_;
  const sdk::resource::Resource resource_;
  const nostd::unique_ptr<sdk::instrumentationscope::InstrumentationScope> scope_;
  std::thread thread_;

  base::Mutex mutex_;
  base::CondVar changed_;
  Collect collect_ CAIRN_GUARDED_BY(mutex_);  // none when Stop has ended
  std::optional<Samples> collected_ CAIRN_GUARDED_BY(mutex_);
  bool stopping_ CAIRN_GUARDED_BY(mutex_) = false;
  bool ended_ CAIRN_GUARDED_BY(mutex_) = false;
};

MetricPusher::MetricPusher(const Options& options, Collect collect,
                           std::shared_ptr<ExportCounters> counters)
    : impl_(std::make_shared<Impl>(options, std::move(collect), std::move(counters))) {
  impl_->Start();
}

MetricPusher::~MetricPusher() { Stop(); }

void MetricPusher::Stop() { impl_->Stop(); }

}  // namespace cairn::otel
