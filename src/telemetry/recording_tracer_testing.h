// A tracer that keeps what it is told, for tests. One thread, as in the simulator.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "telemetry/tracer.h"

namespace cairn::telemetry {

class RecordingTracer final : public Tracer {
 public:
  base::TraceContext ChildOf(const base::TraceContext& parent) override {
    base::TraceContext child = parent;
    ++last_id_;
    std::memcpy(child.span_id.data(), &last_id_, sizeof(last_id_));
    return child;
  }
  void End(Span span) override { spans_.push_back(std::move(span)); }

  // A sampled context that no span has.
  base::TraceContext Root() {
    base::TraceContext root;
    root.trace_id.fill(7);
    root.sampled = true;
    return ChildOf(root);
  }

  const std::vector<Span>& spans() const { return spans_; }
  std::vector<Span> Named(std::string_view name) const {
    std::vector<Span> found;
    std::copy_if(spans_.begin(), spans_.end(), std::back_inserter(found),
                 [name](const Span& span) { return span.name == name; });
    return found;
  }
  std::vector<Span> ChildrenOf(const base::TraceContext& parent, std::string_view name) const {
    std::vector<Span> found = Named(name);
    std::erase_if(found, [&](const Span& span) { return span.parent != parent.span_id; });
    return found;
  }

 private:
  uint64_t last_id_ = 0;
  std::vector<Span> spans_;
};

}  // namespace cairn::telemetry
