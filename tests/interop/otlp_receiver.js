// A collector of OpenTelemetry: takes OTLP by gRPC and by HTTP, with the protocol's own definitions (Debian's
// opentelemetry-proto), and keeps what came.
import { createServer as createPlainServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { gunzipSync } from "node:zlib";

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const kSignals = {
  "/v1/traces": "opentelemetry.proto.collector.trace.v1.TraceService",
  "/v1/metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
};
const definition = loader.loadSync(
  ["trace/v1/trace_service.proto", "metrics/v1/metrics_service.proto"].map(
    (file) => `opentelemetry/proto/collector/${file}`),
  { includeDirs: ["/usr/include"], longs: String, enums: String, oneofs: true });

const valueOf = (any) => {
  const value = any?.[any.value];
  return any?.value === "intValue" ? Number(value) : value;
};
const attributesOf = (list) => Object.fromEntries((list ?? []).map(({ key, value }) => [key, valueOf(value)]));

// Spans and points as plain objects, with the attributes of who sent them as `resource`.
function* spansIn(request) {
  for (const { resource, scopeSpans } of request.resourceSpans ?? []) {
    for (const { scope, spans } of scopeSpans) {
      for (const span of spans) {
        yield {
          ...span,
          trace: span.traceId.toString("hex"),
          id: span.spanId.toString("hex"),
          parent: (span.parentSpanId ?? Buffer.alloc(0)).toString("hex"),
          attributes: attributesOf(span.attributes),
          resource: attributesOf(resource?.attributes),
          scope: scope.name,
        };
      }
    }
  }
}

function* metricsIn(request) {
  for (const { resource, scopeMetrics } of request.resourceMetrics ?? []) {
    for (const { metrics } of scopeMetrics) {
      for (const metric of metrics) {
        const of = metric[metric.data];
        yield {
          ...metric,
          monotonic: of.isMonotonic ?? false,
          temporality: of.aggregationTemporality,
          resource: attributesOf(resource?.attributes),
          points: of.dataPoints.map((point) => ({ ...point, attributes: attributesOf(point.attributes) })),
        };
      }
    }
  }
}

export class Receiver {
  spans = [];
  metrics = new Map(); // the last of each, by sender and name
  requests = []; // path and headers of each

  // With `tls` ({ key, cert } in PEM) both speak TLS.
  static async start(tls = undefined) {
    const receiver = new Receiver();
    receiver.tls_ = tls;
    receiver.scheme_ = tls ? "https" : "http";
    await receiver.#startHttp();
    await receiver.#startGrpc();
    return receiver;
  }

  stop() {
    this.http_.close();
    this.http_.closeAllConnections();
    this.grpc_.forceShutdown();
  }

  // The spans of one trace.
  of(trace) {
    return this.spans.filter((span) => span.trace === trace);
  }

  metric(instance, name) {
    return this.metrics.get(`${instance} ${name}`);
  }

  #take(path, request, headers) {
    this.requests.push({ path, headers });
    this.spans.push(...spansIn(request));
    for (const metric of metricsIn(request)) {
      this.metrics.set(`${metric.resource["service.instance.id"]} ${metric.name}`, metric);
    }
  }

  #startHttp() {
    const take = (request, response) => {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.on("end", () => {
        const service = kSignals[request.url];
        if (!service || request.method !== "POST" || request.headers["content-type"] !== "application/x-protobuf") {
          response.writeHead(404).end();
          return;
        }
        const sent = Buffer.concat(parts);
        const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
        const method = definition[service].Export;
        this.#take(request.url, method.requestDeserialize(body), request.headers);
        response.writeHead(200, { "content-type": "application/x-protobuf" }).end(method.responseSerialize({}));
      });
    };
    this.http_ = this.tls_ ? createTlsServer(this.tls_, take) : createPlainServer(take);
    return new Promise((resolve) =>
      this.http_.listen(0, "127.0.0.1", () => {
        this.httpUrl = `${this.scheme_}://127.0.0.1:${this.http_.address().port}`;
        resolve();
      }));
  }

  #startGrpc() {
    this.grpc_ = new grpc.Server();
    for (const [path, service] of Object.entries(kSignals)) {
      this.grpc_.addService(definition[service], {
        Export: (call, answer) => {
          this.#take(path, call.request, call.metadata.getMap());
          answer(null, {});
        },
      });
    }
    const credentials = this.tls_
      ? grpc.ServerCredentials.createSsl(null, [{ private_key: this.tls_.key, cert_chain: this.tls_.cert }])
      : grpc.ServerCredentials.createInsecure();
    return new Promise((resolve, reject) =>
      this.grpc_.bindAsync("127.0.0.1:0", credentials, (error, port) => {
        if (error) return reject(error);
        this.grpcUrl = `${this.scheme_}://127.0.0.1:${port}`;
        resolve();
      }));
  }
}
