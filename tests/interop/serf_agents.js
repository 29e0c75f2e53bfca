// Real `serf agent` processes, and whatever else a test starts: all are killed when it ends.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createServer } from "node:net";
import { after } from "node:test";
import { promisify } from "node:util";

const kDeadlineMs = 40_000;
export const kKey = Buffer.alloc(32, "k").toString("base64");
export const run = promisify(execFile);
const processes = [];

after(() => processes.forEach((child) => child.kill("SIGKILL")));

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

// A child whose output lines gather in `lines`; `ended` resolves with its exit code.
export function start(command, args) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  processes.push(child);
  const lines = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream.on("data", (bytes) => {
      const parts = (rest + bytes).split("\n");
      rest = parts.pop();
      lines.push(...parts);
    });
  }
  const ended = new Promise((resolve) => child.on("exit", resolve));
  return { child, lines, ended, say: (line) => child.stdin.write(line + "\n") };
}

export async function until(what, condition, lines = []) {
  const deadline = Date.now() + kDeadlineMs;
  while (Date.now() < deadline) {
    const result = await condition();
    if (result) return result;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`in ${kDeadlineMs} ms not: ${what}\n${lines.join("\n")}`);
}

export const says = (agent, pattern) =>
  until(pattern, () => agent.lines.find((line) => line.match(pattern)), agent.lines);

export async function startSerf(name, options = []) {
  const [bind, rpc] = [await freePort(), await freePort()];
  const agent = start("serf", ["agent", `-node=${name}`, `-bind=127.0.0.1:${bind}`, `-rpc-addr=127.0.0.1:${rpc}`,
    "-log-level=debug", ...options]);
  agent.address = `127.0.0.1:${bind}`;
  agent.serf = async (command, ...args) =>
    (await run("serf", [command, `-rpc-addr=127.0.0.1:${rpc}`, ...args])).stdout;
  agent.members = async () => JSON.parse(await agent.serf("members", "-format=json")).members;
  agent.status = async (of) => (await agent.members()).find((member) => member.name === of)?.status;
  await until(`${name} runs`, () => agent.members().catch(() => false), agent.lines);
  return agent;
}
