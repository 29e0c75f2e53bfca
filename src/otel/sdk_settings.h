// How the SDK of OpenTelemetry is told what Options say: for spans and metrics alike, which have
// structs of their own with the same members. Knows none of the SDK's headers: whoever uses it
// names the structs.
#pragma once

#include <chrono>

#include "otel/options.h"

namespace cairn::otel {

// The SDK's options read headers, certificates and compression from the environment.

// Options of an exporter by OTLP over gRPC.
template <typename SdkOptions>
SdkOptions GrpcOptionsFor(const Target& target) {
  SdkOptions options;
  options.endpoint = target.url;
  options.use_ssl_credentials = target.url.starts_with("https://");
  options.timeout = std::chrono::milliseconds(target.timeout_ms);
  return options;
}

// Options of one over HTTP.
template <typename SdkOptions>
SdkOptions HttpOptionsFor(const Target& target) {
  SdkOptions options;
  options.url = target.url;
  options.content_type = decltype(options.content_type)::kBinary;
  options.timeout = std::chrono::milliseconds(target.timeout_ms);
  return options;
}

// Of a ResourceAttributes.
template <typename SdkAttributes>
SdkAttributes AttributesFor(const Options& options) {
  SdkAttributes attributes;
  for (const auto& [key, value] : options.resource) attributes.SetAttribute(key, value.c_str());
  return attributes;
}

}  // namespace cairn::otel
