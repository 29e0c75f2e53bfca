// What is exported by OpenTelemetry's protocol (OTLP), where to, and which traces: from cairn's own
// settings and the OTEL_* variables of the specification.
//
// No header of OpenTelemetry here. What is said here of a variable follows
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
// .../protocol/exporter/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn::otel {

enum class Protocol : uint8_t { kGrpc, kHttpProtobuf };

// "grpc", "http/protobuf". Errors: INVALID_ARGUMENT naming both.
absl::StatusOr<Protocol> ParseProtocol(std::string_view text);
std::string_view ToString(Protocol protocol);

// Which traces are recorded, decided where they begin or come in.
struct Sampling {
  bool parent = true;  // a caller that has decided is followed; the rest decides for the others
  double ratio = 1;    // of traces, by their ids; 0: never, 1: always

  friend bool operator==(const Sampling&, const Sampling&) = default;
};

// "always", "never", "ratio:R" with R from 0 to 1, and each behind "parent:". Errors:
// INVALID_ARGUMENT saying so.
absl::StatusOr<Sampling> ParseSampling(std::string_view text);
std::string ToString(const Sampling& sampling);

// http:// or https://, a host, perhaps a port and a path. Errors: INVALID_ARGUMENT.
absl::Status CheckEndpoint(std::string_view url);

// cairn's own keys. What is set counts more than any variable.
struct Settings {
  std::string endpoint;  // "": that of the variables, or nothing is exported
  std::optional<Protocol> protocol;
  std::optional<Sampling> sampling;
};

// The OTEL_* variables that are set, by name.
using Variables = std::map<std::string, std::string>;
Variables ReadVariables(const std::function<const char*(const char*)>& environment);

struct Target {
  std::string url;  // "": nothing is sent. Of HTTP with its path
  Protocol protocol = Protocol::kHttpProtobuf;
  int64_t timeout_ms = 10'000;  // of one export
};

struct Options {
  Target traces;
  Target metrics;
  Sampling sampling;

  // Spans that wait for their export or are on their way; more are dropped, and counted.
  size_t max_queued_spans = 2048;
  size_t max_batch_spans = 512;  // at most max_queued_spans
  int64_t schedule_delay_ms = 5'000;
  int64_t metric_interval_ms = 60'000;

  std::map<std::string, std::string> resource;  // who sends
};

// Who this node is, where the variables do not say it.
struct Identity {
  std::string node_name;
  std::string version;
};

// All of it together. A variable with a value that is no good counts as not set, as the
// specification wants it, and adds a sentence to `warnings`.
Options Resolve(const Settings& settings, const Variables& variables, const Identity& identity,
                std::vector<std::string>& warnings);

}  // namespace cairn::otel
