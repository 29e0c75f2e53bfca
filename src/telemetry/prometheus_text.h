// Samples in the text format of Prometheus.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "telemetry/samples.h"

namespace cairn::telemetry {

inline constexpr std::string_view kPrometheusTextType = "text/plain; version=0.0.4; charset=utf-8";

// As "Exposition formats" of Prometheus' documentation says, text-based, version 0.0.4. Metrics
// without samples are left out; with `names`, also those whose name begins with none of them.
std::string ToPrometheusText(const Samples& samples, std::span<const std::string> names = {});

}  // namespace cairn::telemetry
