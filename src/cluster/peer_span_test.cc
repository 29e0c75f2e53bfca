// The spans of forwarded requests: only of traced work, with the request's span as their parent.
#include "cluster/peer_span.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace cairn::cluster {
namespace {

class TestTracer final : public telemetry::Tracer {
 public:
  base::TraceContext ChildOf(const base::TraceContext& parent) override {
    base::TraceContext child = parent;
    child.span_id.fill(++last_id_);
    return child;
  }
  void End(telemetry::Span span) override { spans.push_back(std::move(span)); }

  std::vector<telemetry::Span> spans;

 private:
  uint8_t last_id_ = 0;
};

class TestClock final : public env::Clock {
 public:
  int64_t WallMs() const override { return 0; }
  int64_t MonotonicNs() const override { return now_ns; }
  int64_t now_ns = 1000;
};

base::TraceContext Parent(bool sampled) {
  base::TraceContext parent;
  parent.trace_id.fill(0xaa);
  parent.span_id.fill(0xbb);
  parent.sampled = sampled;
  return parent;
}

TEST(PeerSpanTest, IsAChildOfTheRequestAndLastsUntilItsEnd) {
  TestTracer tracer;
  TestClock clock;
  PeerSpan span(&tracer, clock, telemetry::SpanKind::kClient, Parent(true));
  EXPECT_TRUE(span.context().sampled);
  EXPECT_EQ(span.context().trace_id, Parent(true).trace_id);
  EXPECT_NE(span.context().span_id, Parent(true).span_id);
  clock.now_ns = 3000;
  span.End(absl::UnavailableError("gone"), NodeId(2));
  ASSERT_EQ(tracer.spans.size(), 1);
  const telemetry::Span& ended = tracer.spans.front();
  EXPECT_EQ(ended.kind, telemetry::SpanKind::kClient);
  EXPECT_EQ(ended.context, span.context());
  EXPECT_EQ(ended.parent, Parent(true).span_id);
  EXPECT_EQ(ended.start_ns, 1000);
  EXPECT_EQ(ended.end_ns, 3000);
  EXPECT_TRUE(absl::IsUnavailable(ended.status));
}

TEST(PeerSpanTest, WhatIsNotTracedHasNone) {
  TestTracer tracer;
  TestClock clock;
  for (telemetry::Tracer* to :
       {static_cast<telemetry::Tracer*>(&tracer), static_cast<telemetry::Tracer*>(nullptr)}) {
    PeerSpan span(to, clock, telemetry::SpanKind::kServer, Parent(to == nullptr));
    EXPECT_FALSE(span.context().sampled);
    span.End(absl::OkStatus());
  }
  EXPECT_TRUE(tracer.spans.empty());
}

}  // namespace
}  // namespace cairn::cluster
