// Three agents and three nodes for CAIRN_SOAK_SECONDS: nobody who lives is ever suspected for long enough to count as
// failed, by either kind.
import assert from "node:assert/strict";
import { test } from "node:test";

import { startNode } from "./cairn_nodes.js";
import { startSerf, until } from "./serf_agents.js";

const kSeconds = Number(process.env.CAIRN_SOAK_SECONDS);

test("nobody is suspected falsely", { timeout: (kSeconds + 120) * 1000 }, async (t) => {
  const nodes = [await startNode("n1", ["--bootstrap"])];
  const agents = [];
  for (const i of [1, 2, 3]) {
    if (i > 1) nodes.push(await startNode(`n${i}`, ["--start-join-addrs", nodes[0].address]));
    agents.push(await startSerf(`s${i}`, [`-join=${nodes[i - 1].address}`]));
  }
  const names = [...nodes.map((_, i) => `n${i + 1}`), ...agents.map((_, i) => `s${i + 1}`)].sort().join();
  const alive = (members) =>
    members?.filter((member) => member.status === "alive").map((member) => member.name).sort().join();
  const whole = async () => {
    for (const agent of agents) if (alive(await agent.members()) !== names) return false;
    for (const node of nodes) if (alive((await node.ask("cluster", "members"))?.members) !== names) return false;
    return true;
  };
  await until("all see all", whole);

  const end = Date.now() + kSeconds * 1000;
  let looks = 0;
  for (; Date.now() < end; ++looks) {
    assert.ok(await whole(), `after ${looks} looks somebody does not see everybody alive`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  // What came and went between two looks is in the logs.
  const count = (processes, pattern) =>
    processes.flatMap(({ lines }) => lines).filter((line) => pattern.test(line)).length;
  const failures = count(nodes, /"member-failed"/) + count(agents, /EventMemberFailed/);
  const suspicions = count(agents, /Suspect \S+ has failed/);
  const refutations = count(agents, /Refuting a/);
  t.diagnostic(`${kSeconds} s, ${looks} looks: ${failures} failures, ${suspicions} suspicions by agents, ` +
    `${refutations} refutations by agents`);
  assert.equal(failures, 0);
});
