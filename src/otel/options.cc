#include "otel/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::otel {
namespace {

// More spans would take more memory than a node wants to give for them: each has about 1 KiB.
constexpr int64_t kMaxQueuedSpans = 1 << 20;
constexpr int64_t kMaxIntervalMs = 24LL * 3600 * 1000;

constexpr std::array kNames = {
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_INSECURE",
    "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    "OTEL_EXPORTER_OTLP_METRICS_INSECURE",
};

absl::StatusOr<double> ParseRatio(std::string_view text) {
  double ratio = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ratio);
  if (error != std::errc() || end != text.data() + text.size() || !(ratio >= 0 && ratio <= 1)) {
    return absl::InvalidArgumentError(base::StrCat("\"", text, "\" is no number from 0 to 1"));
  }
  return ratio;
}

// Digits that ParseRatio reads as the same number.
std::string Shortest(double ratio) {
  char digits[32];
  return {digits, std::to_chars(digits, std::end(digits), ratio).ptr};
}

std::string_view Trimmed(std::string_view text) {
  return base::StdView(absl::StripAsciiWhitespace(base::AbslView(text)));
}

std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    const char* const digits = text.data() + i + 1;
    if (text.size() - i < 3 || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2) {
      return std::nullopt;
    }
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

// Reads variables; what is no good is told and counts as not set. So does what is empty.
class Reader {
 public:
  Reader(const Variables& variables, std::vector<std::string>& warnings)
      : variables_(variables), warnings_(warnings) {}

  std::string Text(const std::string& name) const {
    const auto found = variables_.find(name);
    return found == variables_.end() ? std::string() : std::string(Trimmed(found->second));
  }

  // The one of the signal ("TRACES", "METRICS"), otherwise that of all signals; its name in `name`.
  std::string ForSignal(std::string_view signal, std::string_view what, std::string& name) const {
    name = base::StrCat("OTEL_EXPORTER_OTLP_", signal, "_", what);
    std::string text = Text(name);
    if (!text.empty()) return text;
    name = base::StrCat("OTEL_EXPORTER_OTLP_", what);
    return Text(name);
  }

  int64_t Integer(const std::string& name, int64_t fallback, int64_t least, int64_t most) {
    const std::string text = Text(name);
    if (text.empty()) return fallback;
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value >= least &&
        value <= most) {
      return value;
    }
    Warn(name, base::StrCat("\"", text, "\" is no whole number from ", least, " to ", most));
    return fallback;
  }

  bool Bool(const std::string& name) {
    const std::string text = absl::AsciiStrToLower(Text(name));
    if (text == "true") return true;
    if (!text.empty() && text != "false") {
      Warn(name, base::StrCat("\"", text, "\" is neither true nor false"));
    }
    return false;
  }

  void Warn(const std::string& name, std::string_view why) {
    warnings_.push_back(base::StrCat(name, " is ignored: ", why));
  }

 private:
  const Variables& variables_;
  std::vector<std::string>& warnings_;
};

Sampling SamplingOf(Reader& reader) {
  const std::string name = reader.Text("OTEL_TRACES_SAMPLER");
  if (name.empty()) return {};
  std::string_view root = name;
  Sampling sampling;
  sampling.parent = root.starts_with("parentbased_");
  if (sampling.parent) root.remove_prefix(std::string_view("parentbased_").size());
  if (root == "always_on") return sampling;
  if (root == "always_off") {
    sampling.ratio = 0;
    return sampling;
  }
  if (root != "traceidratio") {
    reader.Warn("OTEL_TRACES_SAMPLER",
                base::StrCat("\"", name,
                             "\" is none of always_on, always_off, traceidratio, "
                             "parentbased_always_on, parentbased_always_off, "
                             "parentbased_traceidratio"));
    return {};
  }
  const std::string argument = reader.Text("OTEL_TRACES_SAMPLER_ARG");
  if (argument.empty()) return sampling;
  const auto ratio = ParseRatio(argument);
  if (ratio.ok()) {
    sampling.ratio = *ratio;
  } else {
    reader.Warn("OTEL_TRACES_SAMPLER_ARG", base::StdView(ratio.status().message()));
  }
  return sampling;
}

// What an OTEL_*_EXPORTER says; nullopt: nothing.
std::optional<bool> WantsOtlp(Reader& reader, const std::string& name) {
  const std::string text = reader.Text(name);
  if (text.empty()) return std::nullopt;
  bool otlp = false;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::string_view exporter = Trimmed(base::StdView(part));
    if (exporter == "otlp") {
      otlp = true;
    } else if (exporter == "none" || exporter == "prometheus") {
      // GET /metrics is there in any case.
    } else {
      reader.Warn(name, base::StrCat("\"", exporter, "\" is neither otlp nor none"));
      return std::nullopt;
    }
  }
  return otlp;
}

Protocol ProtocolOf(Reader& reader, const Settings& settings, std::string_view signal) {
  if (settings.protocol) return *settings.protocol;
  std::string name;
  const std::string text = reader.ForSignal(signal, "PROTOCOL", name);
  if (text.empty()) return Protocol::kHttpProtobuf;
  const auto protocol = ParseProtocol(text);
  if (protocol.ok()) return *protocol;
  reader.Warn(name, base::StdView(protocol.status().message()));
  return Protocol::kHttpProtobuf;
}

// With the path of a signal, where the address is that of all of them.
std::string WithPath(std::string url, const Target& target, std::string_view signal) {
  if (target.protocol == Protocol::kGrpc) return url;
  if (!url.ends_with('/')) url += '/';
  return base::StrCat(url, "v1/", absl::AsciiStrToLower(base::AbslView(signal)));
}

Target TargetOf(Reader& reader, const Settings& settings, std::string_view signal) {
  Target target{.url = {}, .protocol = ProtocolOf(reader, settings, signal)};
  std::string timeout;
  (void)reader.ForSignal(signal, "TIMEOUT", timeout);
  target.timeout_ms = reader.Integer(timeout, target.timeout_ms, 1, kMaxIntervalMs);
  const std::string exporter = base::StrCat("OTEL_", signal, "_EXPORTER");
  const std::optional<bool> wanted = WantsOtlp(reader, exporter);
  if (wanted && !*wanted) return target;
  if (!settings.endpoint.empty()) {
    target.url = WithPath(settings.endpoint, target, signal);
    return target;
  }
  std::string name;
  std::string url = reader.ForSignal(signal, "ENDPOINT", name);
  if (url.empty()) {
    if (!wanted) return target;  // nobody has asked for an export
    target.url = target.protocol == Protocol::kGrpc
                     ? "http://localhost:4317"
                     : WithPath("http://localhost:4318", target, signal);
    return target;
  }
  if (target.protocol == Protocol::kGrpc && url.find("://") == std::string::npos) {
    std::string insecure;
    (void)reader.ForSignal(signal, "INSECURE", insecure);
    url = base::StrCat(reader.Bool(insecure) ? "http://" : "https://", url);
  }
  if (const absl::Status good = CheckEndpoint(url); !good.ok()) {
    reader.Warn(name, base::StdView(good.message()));
    return target;
  }
  target.url = name == "OTEL_EXPORTER_OTLP_ENDPOINT" ? WithPath(url, target, signal) : url;
  return target;
}

// Percent-encoded, as W3C Baggage has it. What cannot be read is ignored as a whole.
std::map<std::string, std::string> AttributesOf(Reader& reader) {
  const std::string name = "OTEL_RESOURCE_ATTRIBUTES";
  const std::string text = reader.Text(name);
  std::map<std::string, std::string> attributes;
  for (absl::string_view pair : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::string_view one = base::StdView(pair);
    const size_t equals = one.find('=');
    const auto value = equals == std::string_view::npos
                           ? std::nullopt
                           : PercentDecoded(Trimmed(one.substr(equals + 1)));
    if (!value || Trimmed(one.substr(0, equals)).empty()) {
      reader.Warn(name, base::StrCat("\"", Trimmed(one), "\" is no pair key=value"));
      return {};
    }
    attributes[std::string(Trimmed(one.substr(0, equals)))] = *value;
  }
  return attributes;
}

}  // namespace

absl::StatusOr<Protocol> ParseProtocol(std::string_view text) {
  if (text == "grpc") return Protocol::kGrpc;
  if (text == "http/protobuf") return Protocol::kHttpProtobuf;
  return absl::InvalidArgumentError(
      base::StrCat("\"", text, "\" is neither grpc nor http/protobuf"));
}

std::string_view ToString(Protocol protocol) {
  return protocol == Protocol::kGrpc ? "grpc" : "http/protobuf";
}

absl::StatusOr<Sampling> ParseSampling(std::string_view text) {
  constexpr std::string_view kParent = "parent:";
  constexpr std::string_view kRatio = "ratio:";
  std::string_view root = text;
  Sampling sampling;
  sampling.parent = root.starts_with(kParent);
  if (sampling.parent) root.remove_prefix(kParent.size());
  if (root == "always") return sampling;
  if (root == "never") {
    sampling.ratio = 0;
    return sampling;
  }
  if (root.starts_with(kRatio)) {
    CAIRN_ASSIGN_OR_RETURN(sampling.ratio, ParseRatio(root.substr(kRatio.size())));
    return sampling;
  }
  return absl::InvalidArgumentError(
      base::StrCat("\"", text,
                   "\" is none of always, never, ratio:R with R from 0 to 1, parent:always, "
                   "parent:never, parent:ratio:R"));
}

std::string ToString(const Sampling& sampling) {
  const std::string root = sampling.ratio == 1   ? "always"
                           : sampling.ratio == 0 ? "never"
                                                 : "ratio:" + Shortest(sampling.ratio);
  return sampling.parent ? "parent:" + root : root;
}

absl::Status CheckEndpoint(std::string_view url) {
  std::string_view rest = url;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (rest.starts_with(scheme)) rest.remove_prefix(scheme.size());
  }
  const bool clean = std::all_of(rest.begin(), rest.end(),
                                 [](char c) { return c > ' ' && c < '\x7f' && c != '@'; });
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (rest.size() == url.size() || authority.empty() || authority.front() == ':' || !clean) {
    return absl::InvalidArgumentError(
        base::StrCat("\"", url,
                     "\" is no address of a collector; expected http://HOST:PORT or https://"
                     "HOST:PORT, as in http://127.0.0.1:4318"));
  }
  return absl::OkStatus();
}

Variables ReadVariables(const std::function<const char*(const char*)>& environment) {
  Variables variables;
  for (const char* name : kNames) {
    if (const char* value = environment(name)) variables[name] = value;
  }
  return variables;
}

Options Resolve(const Settings& settings, const Variables& variables, const Identity& identity,
                std::vector<std::string>& warnings) {
  Reader reader(variables, warnings);
  Options options;
  if (reader.Bool("OTEL_SDK_DISABLED")) return options;
  options.traces = TargetOf(reader, settings, "TRACES");
  options.metrics = TargetOf(reader, settings, "METRICS");
  options.sampling = settings.sampling ? *settings.sampling : SamplingOf(reader);
  options.max_queued_spans = static_cast<size_t>(
      reader.Integer("OTEL_BSP_MAX_QUEUE_SIZE", static_cast<int64_t>(options.max_queued_spans), 1,
                     kMaxQueuedSpans));
  options.max_batch_spans = static_cast<size_t>(reader.Integer(
      "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
      static_cast<int64_t>(std::min(options.max_batch_spans, options.max_queued_spans)), 1,
      static_cast<int64_t>(options.max_queued_spans)));
  options.schedule_delay_ms =
      reader.Integer("OTEL_BSP_SCHEDULE_DELAY", options.schedule_delay_ms, 1, kMaxIntervalMs);
  options.metric_interval_ms =
      reader.Integer("OTEL_METRIC_EXPORT_INTERVAL", options.metric_interval_ms, 1, kMaxIntervalMs);

  options.resource = AttributesOf(reader);
  options.resource.try_emplace("service.name", "cairn");
  options.resource.try_emplace("service.instance.id", identity.node_name);
  options.resource.try_emplace("service.version", identity.version);
  if (const std::string name = reader.Text("OTEL_SERVICE_NAME"); !name.empty()) {
    options.resource["service.name"] = name;
  }
  return options;
}

}  // namespace cairn::otel
