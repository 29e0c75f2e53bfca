// A client of the ancestor in another language: all five RPCs, their errors and their ends, against the real
// binary. CAIRN names it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const kDeadlineMs = 60_000;
const directory = mkdtempSync(join(tmpdir(), "cairn-interop-"));
let server;
let client;
let address;

before(async () => {
  server = spawn(process.env.CAIRN, ["server", "--data-dir", join(directory, "data"), "--rpc-port", "0", "--bind-addr", "127.0.0.1:0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  address = await new Promise((resolve, reject) => {
    let text = "";
    server.stdout.on("data", (bytes) => {
      text += bytes;
      const found = text.match(/listening on (\S+)\n/);
      if (found) resolve(found[1]);
    });
    server.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const definition = loader.loadSync(join(import.meta.dirname ?? ".", "ancestor.proto"), { longs: Number, defaults: true });
  const { Log } = grpc.loadPackageDefinition(definition).log.v1;
  client = new Log(address, grpc.credentials.createInsecure());
});

after(async () => {
  client?.close();
  const ended = new Promise((resolve) => server.on("exit", (code) => resolve(code)));
  server.kill("SIGTERM");
  assert.equal(await ended, 0);
  rmSync(directory, { recursive: true });
});

const deadline = () => ({ deadline: Date.now() + kDeadlineMs });

// Calls a unary method; resolves with the response.
function call(method, request) {
  return new Promise((resolve, reject) =>
    client[method](request, deadline(), (error, response) => (error ? reject(error) : resolve(response))),
  );
}

const record = (text) => ({ record: { value: Buffer.from(text) } });

test("produce and consume keep offset and value", async () => {
  for (const [i, text] of ["hello", "", "w\u00f6rld"].entries()) {
    const { offset } = await call("Produce", record(text));
    assert.equal(offset, i);
    const read = await call("Consume", { offset });
    assert.equal(read.record.value.toString(), text);
    assert.equal(read.record.offset, i);
    assert.equal(read.record.term ?? 0, 0);
    assert.equal(read.record.type ?? 0, 0);
  }
});

test("binary values come back byte for byte", async () => {
  const value = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 31) & 0xff));
  const { offset } = await call("Produce", { record: { value } });
  const read = await call("Consume", { offset });
  assert.deepEqual(read.record.value, value);
});

test("an offset outside is OUT_OF_RANGE with the ancestor's localized message", async () => {
  await assert.rejects(call("Consume", { offset: 1_000_000 }), (error) => {
    assert.equal(error.code, grpc.status.OUT_OF_RANGE);
    const details = error.metadata.get("grpc-status-details-bin")[0].toString("latin1");
    assert.match(details, /google\.rpc\.LocalizedMessage/);
    assert.match(details, /The requested offset is outside of the log/);
    assert.match(details, /OFFSET_OUT_OF_RANGE/);
    return true;
  });
});

test("a request without a record is refused", async () => {
  await assert.rejects(call("Produce", {}), (error) => error.code === grpc.status.INVALID_ARGUMENT);
});

test("a produce stream answers every request in order and ends with OK", async () => {
  const kCount = 3000;
  const stream = client.ProduceStream(deadline());
  const offsets = [];
  const ended = new Promise((resolve, reject) => {
    stream.on("data", ({ offset }) => offsets.push(offset));
    stream.on("error", reject);
    stream.on("status", (status) => resolve(status));
  });
  for (let i = 0; i < kCount; ++i) {
    if (!stream.write(record(`streamed ${i}`))) await new Promise((resolve) => stream.once("drain", resolve));
  }
  stream.end();
  assert.equal((await ended).code, grpc.status.OK);
  assert.equal(offsets.length, kCount);
  offsets.forEach((offset, i) => assert.equal(offset, offsets[0] + i));
  const read = await call("Consume", { offset: offsets[kCount - 1] });
  assert.equal(read.record.value.toString(), `streamed ${kCount - 1}`);
});

test("a consume stream delivers what is there, follows, and ends when it is cancelled", async () => {
  const { offset: first } = await call("Produce", record("there"));
  const stream = client.ConsumeStream({ offset: first }, deadline());
  const received = [];
  let wake = () => {};
  stream.on("data", ({ record }) => {
    received.push(record);
    wake();
  });
  const ended = new Promise((resolve) => stream.on("error", (error) => resolve(error.code)));
  const receive = async (count) => {
    while (received.length < count) await new Promise((resolve) => (wake = resolve));
  };
  await receive(1);
  assert.equal(received[0].value.toString(), "there");
  for (let i = 1; i <= 5; ++i) {
    await call("Produce", record(`followed ${i}`));
    await receive(i + 1);
    assert.equal(received[i].value.toString(), `followed ${i}`);
    assert.equal(received[i].offset, first + i);
  }
  stream.cancel();
  assert.equal(await ended, grpc.status.CANCELLED);
});

test("get servers names the one node, which leads", async () => {
  const { servers } = await call("GetServers", {});
  assert.equal(servers.length, 1);
  assert.equal(servers[0].rpcAddr, address);
  assert.equal(servers[0].isLeader, true);
  assert.notEqual(servers[0].id, "");
});
