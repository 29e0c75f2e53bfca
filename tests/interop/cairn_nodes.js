// `cairn server` processes (PROGRAM names the binary), each with a data directory of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { run, says, start } from "./serf_agents.js";

const kCairn = process.env.PROGRAM;
const scratch = mkdtempSync(join(tmpdir(), "cairn-serf-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

// A file or directory of this run.
export const scratchPath = (name) => join(scratch, name);

// Again under the same name it is the same node, at the same addresses when `again` is that of before.
export async function startNode(name, options = [], again = undefined) {
  const node = start(kCairn, ["server", "--node-name", name, "--data-dir", scratchPath(name), "--log-format", "json",
    "--bind-addr", again?.address ?? "127.0.0.1:0", "--rpc-port", again?.rpc.split(":")[1] ?? "0", ...options]);
  const serving = JSON.parse(await says(node, /"serving"/));
  node.name = name;
  node.rpc = serving.address;
  node.address = serving.gossip_address;
  // What a command says, as JSON; nothing while it fails.
  node.ask = (...command) =>
    run(kCairn, [...command, "--addr", node.rpc, "--output", "json"])
      .then(({ stdout }) => JSON.parse(stdout))
      .catch(() => undefined);
  node.member = async (of) =>
    (await node.ask("cluster", "members"))?.members.find((member) => member.name === of);
  node.nodes = async () => (await node.ask("cluster", "status"))?.nodes.map((row) => row.name);
  return node;
}
