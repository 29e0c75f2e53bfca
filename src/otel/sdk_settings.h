// How the SDK of OpenTelemetry is told what Options say: for spans and metrics alike. For the .cc
// files of this folder alone: it has the SDK's headers.
#pragma once

#include <opentelemetry/exporters/otlp/otlp_http.h>
#include <opentelemetry/nostd/string_view.h>
#include <opentelemetry/sdk/resource/resource.h>

#include <chrono>

#include "otel/options.h"

namespace cairn::otel {

// The SDK's options read headers, certificates and compression from the environment.

// For one of the SDK's structs of options for OTLP over gRPC.
template <typename SdkOptions>
SdkOptions GrpcOptionsFor(const Target& target) {
  SdkOptions options;
  options.endpoint = target.url;
  options.use_ssl_credentials = target.url.starts_with("https://");
  options.timeout = std::chrono::milliseconds(target.timeout_ms);
  return options;
}

// For one of those for OTLP over HTTP.
template <typename SdkOptions>
SdkOptions HttpOptionsFor(const Target& target) {
  SdkOptions options;
  options.url = target.url;
  options.content_type = opentelemetry::exporter::otlp::HttpRequestContentType::kBinary;
  options.timeout = std::chrono::milliseconds(target.timeout_ms);
  return options;
}

inline opentelemetry::sdk::resource::Resource ResourceFor(const Options& options) {
  opentelemetry::sdk::resource::ResourceAttributes attributes;
  for (const auto& [key, value] : options.resource) {
    attributes.SetAttribute(key, opentelemetry::nostd::string_view(value.data(), value.size()));
  }
  return opentelemetry::sdk::resource::Resource::Create(attributes);
}

}  // namespace cairn::otel
