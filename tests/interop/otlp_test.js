// Traces and metrics of real nodes at a real receiver of OTLP (otlp_receiver.js): one trace through three nodes with
// the right parents, by HTTP and by gRPC; the same metrics as /metrics.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, test } from "node:test";

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

import { scratchPath, startNode } from "./cairn_nodes.js";
import { Receiver } from "./otlp_receiver.js";
import { run, until } from "./serf_agents.js";

process.env.OTEL_BSP_SCHEDULE_DELAY = "50";
process.env.OTEL_BSP_MAX_QUEUE_SIZE = "65536";
process.env.OTEL_METRIC_EXPORT_INTERVAL = "300";
process.env.OTEL_RESOURCE_ATTRIBUTES = "deployment.environment.name=test";
process.env.OTEL_EXPORTER_OTLP_HEADERS = "x-token=secret";

const definition = loader.loadSync("log/v1/log.proto", { includeDirs: [process.env.API], longs: Number });
const { Log } = grpc.loadPackageDefinition(definition).log.v1;
const kTopic = "traced";

let receiver;
before(async () => (receiver = await Receiver.start()));
after(() => receiver.stop());

// A trace that a client began.
const newTrace = (flags = "01") => {
  const [trace, span] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  return { trace, span, traceparent: `00-${trace}-${span}-${flags}` };
};

const clientOf = (node) => new Log(node.rpc, grpc.credentials.createInsecure());
const metadataOf = (traceparent) => {
  const metadata = new grpc.Metadata();
  if (traceparent) metadata.set("traceparent", traceparent);
  return metadata;
};
const deadline = () => ({ deadline: Date.now() + 30_000 });

function produce(node, traceparent, request = {}) {
  const client = clientOf(node);
  return new Promise((resolve, reject) =>
    client.Produce({ topic: kTopic, record: { value: Buffer.from("x") }, ...request }, metadataOf(traceparent),
      deadline(), (error, response) => (error ? reject(error) : resolve(response)))).finally(() => client.close());
}

// The spans of a trace, once there are those named `names` (as often as they are named) and each has its parent among
// them, or the client's.
async function whole(trace, ...names) {
  const spans = await until(`${names} of ${trace.trace}, each with its parent`, () => {
    const found = receiver.of(trace.trace);
    const ids = new Set([trace.span, ...found.map((span) => span.id)]);
    const rest = found.map((span) => span.name);
    const complete = names.every((name) => rest.includes(name) && rest.splice(rest.indexOf(name), 1));
    return complete && found.every((span) => ids.has(span.parent)) && found;
  }, receiver.spans.map((span) => `${span.trace} ${span.id} < ${span.parent} ${span.name}`));
  assert.equal(new Set(spans.map((span) => span.id)).size, spans.length);
  for (const span of spans) {
    assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano));
    assert.ok(Math.abs(Number(BigInt(span.startTimeUnixNano) / 1_000_000n) - Date.now()) < 60_000);
  }
  return spans;
}
const only = (spans, name, kind) => {
  const found = spans.filter((span) => span.name === name && (!kind || span.kind === kind));
  assert.equal(found.length, 1, `${name} ${kind}: ${JSON.stringify(spans)}`);
  return found[0];
};

async function startCluster(name, options) {
  const nodes = [await startNode(`${name}-1`, ["--bootstrap", ...options])];
  for (const i of [2, 3]) {
    nodes.push(await startNode(`${name}-${i}`, ["--start-join-addrs", nodes[0].address, ...options]));
  }
  await until("three nodes", async () => (await nodes[0].nodes())?.length === 3, nodes[0].lines);
  await until("a topic", async () =>
    (await nodes[0].ask("topic", "create", kTopic, "--replication-factor", "3")) ??
    (await nodes[0].ask("topic", "describe", kTopic)), nodes[0].lines);
  const leader = await until("a leader that all know", async () => {
    const rows = await Promise.all(nodes.map((node) => node.ask("topic", "describe", kTopic)));
    const [first, ...rest] = rows.map((row) => row?.partitions[0].leader);
    return first && rest.every((other) => other === first) && first;
  });
  await until("all vote", async () =>
    (await nodes[0].ask("cluster", "status", "--topic", kTopic))?.partitions
      .every((row) => !row.under_replicated), nodes[0].lines);
  const status = await nodes[0].ask("cluster", "status");
  const leads = status.nodes.find((row) => row.id === leader).name;
  return {
    nodes,
    leader: nodes.find((node) => node.name === leads),
    follower: nodes.find((node) => node.name !== leads),
  };
}

for (const protocol of ["http/protobuf", "grpc"]) {
  test(`${protocol}: a produce through a follower is one trace over the nodes`, async () => {
    const name = protocol === "grpc" ? "g" : "h";
    const { nodes, leader, follower } = await startCluster(name, ["--otlp-protocol", protocol, "--otlp-endpoint",
      protocol === "grpc" ? receiver.grpcUrl : receiver.httpUrl, "--log-level", "info,rpc=debug"]);

    const trace = newTrace();
    const { offset } = await produce(follower, trace.traceparent,
      { record: undefined, records: [{ value: Buffer.from("a") }, { value: Buffer.from("b") }] });
    assert.equal(offset ?? 0, 0);
    const onEachNode = (span) => Array(nodes.length).fill(span);
    const all = await whole(trace, "log.v1.Log/Produce", "authorise", "cairn.Peer/Produce", "cairn.Peer/Produce", "batch wait",
      "commit", "replicate", "replicate", "append", "append", ...onEachNode("disk wait"), ...onEachNode("fsync"));
    const rpc = only(all, "log.v1.Log/Produce", "SPAN_KIND_SERVER");
    const forward = only(all, "cairn.Peer/Produce", "SPAN_KIND_CLIENT");
    const lead = only(all, "cairn.Peer/Produce", "SPAN_KIND_SERVER");
    assert.equal(rpc.parent, trace.span);
    assert.equal(only(all, "authorise").parent, rpc.id);
    assert.equal(forward.parent, rpc.id);
    assert.equal(lead.parent, forward.id);
    assert.equal(rpc.resource["service.instance.id"], follower.name);
    assert.equal(forward.resource["service.instance.id"], follower.name);
    assert.equal(lead.resource["service.instance.id"], leader.name);
    assert.equal(only(all, "batch wait").parent, lead.id);
    const commit = only(all, "commit");
    assert.equal(commit.parent, lead.id);
    assert.equal(commit.attributes["cairn.records"], 2);
    const places = { [leader.name]: commit.id };
    for (const replicate of all.filter((span) => span.name === "replicate")) {
      assert.equal(replicate.parent, commit.id);
      assert.equal(replicate.resource["service.instance.id"], leader.name);
      const append = only(all.filter((span) => span.parent === replicate.id), "append");
      places[append.resource["service.instance.id"]] = append.id;
    }
    assert.deepEqual(Object.keys(places).sort(), nodes.map((node) => node.name).sort());
    for (const [node, place] of Object.entries(places)) {
      for (const part of ["disk wait", "fsync"]) {
        assert.equal(only(all.filter((span) => span.parent === place), part).resource["service.instance.id"], node);
      }
    }
    assert.equal(rpc.resource["service.name"], "cairn");
    assert.equal(rpc.resource["deployment.environment.name"], "test");
    assert.ok(rpc.resource["service.version"]);
    assert.equal(rpc.scope, "cairn");
    for (const [key, value] of Object.entries({
      "rpc.system": "grpc", "rpc.service": "log.v1.Log", "rpc.method": "Produce", "rpc.grpc.status_code": 0,
      "client.address": "127.0.0.1", "messaging.system": "cairn", "messaging.operation.type": "send",
      "messaging.destination.name": kTopic, "messaging.destination.partition.id": "0",
      "messaging.batch.message_count": 2,
    })) {
      assert.equal(rpc.attributes[key], value, key);
    }
    assert.ok(receiver.requests.some(({ headers }) => headers["x-token"] === "secret"));

    // The line of the log names the span.
    const line = await until("a line", () => follower.lines.find((text) => text.includes(trace.trace)), follower.lines);
    assert.equal(JSON.parse(line).span_id, rpc.id);
  });
}

test("one node: who is not sampled, garbage, streams, errors, the command line, metrics", async () => {
  const node = await startNode("single", ["--bootstrap", "--otlp-endpoint", receiver.httpUrl, "--log-level",
    "info,rpc=debug"]);
  await node.ask("topic", "create", kTopic);

  // A caller that does not sample is followed, and named in the log all the same.
  const quiet = newTrace("00");
  await produce(node, quiet.traceparent);
  const quietLine = await until("a line", () => node.lines.find((text) => text.includes(quiet.trace)), node.lines);
  assert.equal(JSON.parse(quietLine).span_id, quiet.span);

  // Garbage is no trace: the RPC begins one of its own.
  for (const garbage of ["", "00-xyz", `00-${"0".repeat(32)}-${"1".repeat(16)}-01`, `ff-${"1".repeat(32)}-${"1".repeat(16)}-01`,
    "~".repeat(4000)]) {
    const before = receiver.spans.length;
    await produce(node, garbage);
    const span = await until("a span", () =>
      receiver.spans.slice(before).find((one) => one.name === "log.v1.Log/Produce"), node.lines);
    assert.equal(span.parent, "");
  }
  assert.deepEqual(receiver.of(quiet.trace), []); // those that came later are here

  // Errors: what the client did wrong is not the server's.
  const unknown = newTrace();
  await assert.rejects(produce(node, unknown.traceparent, { topic: "no-such-topic" }));
  const failed = only(await whole(unknown, "log.v1.Log/Produce"), "log.v1.Log/Produce");
  assert.equal(failed.attributes["rpc.grpc.status_code"], grpc.status.NOT_FOUND);
  assert.ok(!failed.status?.code || failed.status.code === "STATUS_CODE_UNSET");

  // A stream, with requests that belong to its trace and one that belongs to another.
  const [stream, other] = [newTrace(), newTrace()];
  const client = clientOf(node);
  const call = client.ProduceStream(metadataOf(stream.traceparent), deadline());
  const ended = new Promise((resolve, reject) => call.on("status", resolve).on("error", reject));
  call.on("data", () => {});
  for (const traceparent of [undefined, other.traceparent, undefined]) {
    call.write({ topic: kTopic, record: { value: Buffer.from("x") }, traceparent });
  }
  call.end();
  await ended;
  client.close();
  const kRequest = "log.v1.Log/ProduceStream request";
  const streamed = await whole(stream, "log.v1.Log/ProduceStream", kRequest, kRequest);
  const parent = only(streamed, "log.v1.Log/ProduceStream");
  assert.equal(parent.attributes["cairn.stream.requests"], 3);
  assert.equal(streamed.filter((span) => span.name === kRequest && span.parent === parent.id).length, 2);
  assert.equal(only(await whole(other, kRequest), kRequest).parent, other.span);

  // A stream that goes on and on is not one trace without end.
  const [endless, kRequests, kMaxTraced] = [newTrace(), 1005, 1000];
  const long = clientOf(node);
  const many = long.ProduceStream(metadataOf(endless.traceparent), deadline());
  const over = new Promise((resolve, reject) => many.on("status", resolve).on("error", reject));
  many.on("data", () => {});
  for (let i = 0; i < kRequests; ++i) many.write({ topic: kTopic, record: { value: Buffer.from("x") } });
  many.end();
  await over;
  long.close();
  const traced = await whole(endless, "log.v1.Log/ProduceStream", ...Array(kMaxTraced).fill(kRequest));
  assert.equal(traced.filter(({ name }) => name === kRequest).length, kMaxTraced);
  assert.equal(only(traced, "log.v1.Log/ProduceStream").attributes["cairn.stream.requests"], kRequests);

  // The command line, by flag and by variable.
  const [produced, consumed] = [newTrace(), newTrace()];
  const cairn = (args, options) => {
    const done = run(process.env.PROGRAM, [...args, "--addr", node.rpc], options);
    done.child.stdin.end("one\ntwo\n");
    return done;
  };
  await cairn(["produce", kTopic, "--traceparent", produced.traceparent]);
  const request = only(await whole(produced, kRequest), kRequest);
  assert.equal(request.attributes["messaging.batch.message_count"], 2);
  await cairn(["consume", kTopic], { env: { ...process.env, TRACEPARENT: consumed.traceparent } });
  const read = only(await whole(consumed, "log.v1.Log/ConsumeStream"), "log.v1.Log/ConsumeStream");
  assert.equal(read.attributes["messaging.operation.type"], "receive");
  assert.ok(read.attributes["messaging.batch.message_count"] >= 2);
  await assert.rejects(cairn(["produce", kTopic, "--traceparent", "00-nonsense"]), /no traceparent/);

  // The same metrics as a scrape, and the spans counted.
  const names = new Set((await (await fetch(`http://${node.rpc}/metrics`)).text())
    .split("\n").filter((text) => text.startsWith("# TYPE ")).map((text) => text.split(" ")[2]));
  const missing = () => [...names].filter((name) => !receiver.metric("single", name));
  await until("every metric", () => missing().length === 0, missing());
  assert.deepEqual([...receiver.metrics.keys()].filter((key) => key.startsWith("single "))
    .map((key) => key.split(" ")[1]).filter((name) => !names.has(name)), []);
  const rpcs = receiver.metric("single", "cairn_rpc_requests_total");
  assert.equal(rpcs.data, "sum");
  assert.ok(rpcs.monotonic);
  assert.equal(rpcs.temporality, "AGGREGATION_TEMPORALITY_CUMULATIVE");
  await until("six produced", () => receiver.metric("single", "cairn_rpc_requests_total").points
    .some(({ attributes, asDouble }) => attributes.method === "/log.v1.Log/Produce" && attributes.code === "OK" &&
      asDouble === 6));
  const durations = receiver.metric("single", "cairn_rpc_duration_seconds");
  assert.equal(durations.unit, "s");
  const histogram = durations.points.find(({ attributes }) => attributes.method === "/log.v1.Log/Produce");
  assert.equal(histogram.explicitBounds[0], 0.00005);
  assert.equal(histogram.bucketCounts.length, histogram.explicitBounds.length + 1);
  assert.equal(histogram.bucketCounts.reduce((sum, count) => sum + Number(count), 0), Number(histogram.count));
  assert.ok(histogram.sum > 0);
  assert.equal(receiver.metric("single", "cairn_connections").data, "gauge");
  const exported = receiver.metric("single", "cairn_trace_spans_total")
    .points.find(({ attributes }) => attributes.outcome === "exported");
  assert.ok(exported.asDouble >= 10);

  // What ended last is sent before the node is gone.
  const last = newTrace();
  await produce(node, last.traceparent);
  node.child.kill("SIGTERM");
  assert.equal(await node.ended, 0);
  assert.ok(receiver.of(last.trace).some(({ name }) => name === "log.v1.Log/Produce"));
  await whole(last, "log.v1.Log/Produce", "authorise");
});

test("a collector with a certificate is believed by its authority, and by no other", async () => {
  const certs = scratchPath("certs");
  const make = (...args) => run(process.env.PROGRAM, ["certs", ...args, "--dir", certs]);
  await make("init");
  await make("issue", "collector", "--node");
  const secure = await Receiver.start(
    { key: readFileSync(`${certs}/collector-key.pem`), cert: readFileSync(`${certs}/collector.pem`) });
  for (const protocol of ["http/protobuf", "grpc"]) {
    for (const trusted of [true, false]) {
      if (trusted) process.env.OTEL_EXPORTER_OTLP_CERTIFICATE = `${certs}/ca.pem`;
      const name = `tls-${protocol.length}-${trusted}`;
      const node = await startNode(name, ["--bootstrap", "--otlp-protocol", protocol, "--otlp-endpoint",
        protocol === "grpc" ? secure.grpcUrl : secure.httpUrl]);
      delete process.env.OTEL_EXPORTER_OTLP_CERTIFICATE;
      await node.ask("topic", "create", kTopic);
      const trace = newTrace();
      await produce(node, trace.traceparent);
      if (trusted) {
        await until(`spans of ${name}`, () => secure.of(trace.trace).length > 0, node.lines);
      } else {
        await until(`failures of ${name}`, async () =>
          /cairn_trace_spans_total{outcome="failed"} [1-9]/
            .test(await (await fetch(`http://${node.rpc}/metrics`)).text()), node.lines);
        assert.ok(secure.spans.every(({ resource }) => resource["service.instance.id"] !== name));
      }
      node.child.kill("SIGTERM");
      assert.equal(await node.ended, 0);
    }
  }
  secure.stop();
});

// The process has threads in exports that will not end when it wants to.
for (const protocol of ["http/protobuf", "grpc"]) {
  test(`${protocol}: a node whose collector never answers stops in time, and well`, async () => {
    const sockets = [];
    const silent = createServer((socket) => sockets.push(socket.on("error", () => {}).resume()));
    await new Promise((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const node = await startNode(`silent-${protocol.length}`, ["--bootstrap", "--otlp-protocol", protocol,
      "--otlp-endpoint", `http://127.0.0.1:${silent.address().port}`]);
    await node.ask("topic", "create", kTopic);
    await produce(node, newTrace().traceparent);
    await until("exports begin", () => sockets.length >= 1, node.lines);
    const began = Date.now();
    node.child.kill("SIGTERM");
    assert.equal(await node.ended, 0);
    assert.ok(Date.now() - began < 6_000, `${Date.now() - began} ms`);
    sockets.forEach((socket) => socket.destroy());
    silent.close();
  });
}
