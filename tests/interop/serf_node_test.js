// Real `serf agent` processes in a cluster of real `cairn server` processes: members, never brokers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { scratchPath, startNode } from "./cairn_nodes.js";
import { kKey, says, startSerf, until } from "./serf_agents.js";

for (const encrypted of [false, true]) {
  const how = encrypted ? "sealed" : "plain";
  const serfKey = encrypted ? [`-encrypt=${kKey}`] : [];
  const cairnKey = encrypted ? ["--encrypt", kKey] : [];

  test(`${how}: an agent is a member of a cairn cluster and never a broker`, async () => {
    const [n1Name, n2Name] = [`${how}-n1`, `${how}-n2`];
    const heard = scratchPath(`${how}-heard`);
    const n1 = await startNode(n1Name, ["--bootstrap", ...cairnKey]);
    const s1 = await startSerf("s1", ["-tag", "role=monitor", `-event-handler=user:deploy=cat > ${heard}`,
      `-join=${n1.address}`, ...serfKey]);
    // The agent is all that the second node is told: through it, it finds the first.
    let n2 = await startNode(n2Name, ["--start-join-addrs", s1.address, ...cairnKey]);
    const s2 = await startSerf("s2", [`-join=${n2.address}`, ...serfKey]);
    for (const node of [n1, n2]) {
      for (const name of ["s1", "s2"]) {
        const member = await until(`${name} is a member`, async () => {
          const found = await node.member(name);
          return found?.status === "alive" && found;
        }, node.lines);
        assert.equal(member.kind, "foreign");
      }
      await until("two nodes", async () => (await node.nodes())?.join() === `${n1Name},${n2Name}`, node.lines);
    }
    assert.deepEqual((await n2.member("s1")).tags, { role: "monitor" });

    // What the agents see of the nodes.
    const cluster = await n1.ask("cluster", "status");
    for (const [node, name, id] of [[n1, n1Name, "1"], [n2, n2Name, "2"]]) {
      const seen = await until(`the tags of ${name}`, async () =>
        (await s2.members()).find((m) => m.name === name && m.status === "alive" && m.tags.id === id), s2.lines);
      assert.equal(seen.addr, node.address);
      assert.equal(seen.tags.rpc_addr, node.rpc);
      assert.equal(seen.tags.cluster, cluster.cluster_id);
      assert.ok(seen.tags.version);
    }

    // A topic for all of the cluster is one for its nodes.
    await n1.ask("topic", "create", "orders", "--partitions", "4");
    await until("replicas on both nodes", async () =>
      (await n1.ask("cluster", "status", "--topic", "orders"))?.partitions
        .every((partition) => partition.replicas.slice().sort().join() === "1,2"), n1.lines);

    // Events and queries, both ways.
    assert.deepEqual(await n2.ask("cluster", "event", "deploy", "release 7"), { event: "deploy" });
    await until("the handler runs", () => {
      try {
        return readFileSync(heard, "utf8").trim() === "release 7";
      } catch {
        return false;
      }
    }, s1.lines);
    await s1.serf("event", "restart", "now");
    for (const node of [n1, n2]) await says(node, /"user event".*"name":"restart"/);
    const answer = JSON.parse(await s1.serf("query", "-format=json", "-timeout=5s", "uptime", "?"));
    assert.deepEqual(answer.Acks.sort(), ["s1", "s2", n1Name, n2Name].sort());

    if (encrypted) {
      const second = Buffer.alloc(32, "l").toString("base64");
      await s1.serf("keys", `-install=${second}`);
      assert.match(await s1.serf("keys", "-list"), new RegExp(`${second.replaceAll("+", ".")}\\s+\\[4/4\\]`));
      const keys = await n1.ask("cluster", "keys", "list");
      assert.equal(keys.members, 4);
      assert.deepEqual(keys.keys, { [kKey]: 4, [second]: 4 });
      assert.deepEqual((await n1.ask("cluster", "keys", "use", second)).errors, 0);
      await s2.serf("keys", `-remove=${kKey}`);
      assert.deepEqual((await n2.ask("cluster", "keys", "list")).keys, { [second]: 4 });
    }

    // Leaves and deaths, of either kind.
    await s2.serf("leave");
    for (const node of [n1, n2]) {
      await until("s2 has left", async () => (await node.member("s2"))?.status === "left", node.lines);
    }
    n2.child.kill("SIGKILL");
    await until("s1 sees n2 fail", async () => (await s1.status(n2Name)) === "failed", s1.lines);
    n2 = await startNode(n2Name, [], n2);
    await until("s1 sees n2 again", async () => (await s1.status(n2Name)) === "alive", s1.lines);
    s1.child.kill("SIGKILL");
    for (const node of [n1, n2]) {
      await until("s1 has failed", async () => (await node.member("s1"))?.status === "failed", node.lines);
    }
    assert.deepEqual(await n1.nodes(), [n1Name, n2Name]);

    const s3 = await startSerf("s3", [`-join=${n1.address}`,
      ...(encrypted ? [`-encrypt=${Buffer.alloc(32, "l").toString("base64")}`] : [])]);
    n2.child.kill("SIGTERM");
    assert.equal(await n2.ended, 0);
    await until("s3 sees n2 leave", async () => (await s3.status(n2Name)) === "left", s3.lines);
    assert.deepEqual(await n1.nodes(), [n1Name, n2Name]);
    for (const { child } of [n1, s3]) child.kill("SIGKILL");
  });
}
