// Our gossip with HashiCorp's: real `serf agent` processes and ours (PROGRAM names it) in one cluster.
import assert from "node:assert/strict";
import { test } from "node:test";

import { kKey, says, start, startSerf, until } from "./serf_agents.js";

async function startOurs(name, options = []) {
  const agent = start(process.env.PROGRAM, [name, "127.0.0.1:0", ...options]);
  agent.address = (await says(agent, /^listening on (\S+)/)).split(" ")[2];
  return agent;
}

for (const encrypted of [false, true]) {
  const how = encrypted ? "sealed" : "plain";
  const serfKey = encrypted ? [`-encrypt=${kKey}`] : [];
  const ourKey = encrypted ? ["--key", kKey] : [];

  test(`${how}: members, tags, events, queries and leaves, both ways`, async () => {
    const s1 = await startSerf("s1", ["-tag", "role=web", ...serfKey]);
    const c1 = await startOurs("c1", ["--tag", "role=broker", "--join", s1.address, ...ourKey]);
    await says(c1, /^join OK/);
    await says(c1, /^member-join s1 .* alive role=web/);
    const s2 = await startSerf("s2", [`-join=${c1.address}`, ...serfKey]);
    const c2 = await startOurs("c2", ["--join", s2.address, ...ourKey]);
    for (const name of ["s1", "s2", "c1", "c2"]) {
      await until(`s1 sees ${name}`, async () => (await s1.status(name)) === "alive", s1.lines);
      await until(`s2 sees ${name}`, async () => (await s2.status(name)) === "alive", s2.lines);
      await says(c2, `^member-join ${name} `);
    }
    const seen = (await s2.members()).find((member) => member.name === "c1");
    assert.deepEqual(seen.tags, { role: "broker" });
    assert.equal(seen.addr, c1.address);

    c1.say("tag role=idle");
    await until("the new tag", async () =>
      (await s2.members()).find((member) => member.name === "c1").tags.role === "idle");
    await s1.serf("tags", "-set", "role=db");
    await says(c2, /^member-update s1 .* role=db/);

    await s1.serf("event", "deploy", "v1");
    await says(c1, /^event deploy v1/);
    await says(c2, /^event deploy v1/);
    c2.say("event rollback v0");
    await says(c1, /^event rollback v0/);
    await until("s1 hears of it", () => s1.lines.find((line) => line.includes("rollback")), s1.lines);

    const answer = JSON.parse(await s1.serf("query", "-format=json", "-timeout=5s", "-relay-factor=2", "echo", "hello"));
    assert.deepEqual(answer.Acks.sort(), ["c1", "c2", "s1", "s2"]);
    assert.deepEqual(answer.Responses, { c1: "hello", c2: "hello" });
    const one = JSON.parse(await s1.serf("query", "-format=json", "-timeout=2s", "-node=c2", "echo", "x"));
    assert.deepEqual(one.Acks, ["c2"]);
    const tagged = JSON.parse(await s1.serf("query", "-format=json", "-timeout=2s", "-tag=role=^id", "echo", "x"));
    assert.deepEqual(tagged.Acks, ["c1"]);
    c1.say("query anything here");
    for (const name of ["s1", "s2", "c1", "c2"]) await says(c1, `^ack ${name}`);
    assert.match(await s1.serf("rtt", "c1"), /rtt: [0-9.]+ ms/);

    if (encrypted) {
      const second = Buffer.alloc(16, "l").toString("base64");
      await s1.serf("keys", `-install=${second}`);
      await says(c1, /^keyring changed/);
      const list = await s1.serf("keys", "-list");
      assert.match(list, new RegExp(`${second.replaceAll("+", ".")}\\s+\\[4/4\\]`));
      c1.say("keys");
      await says(c1, /^keys answers=4 errors=0 keys=2/);
      await s1.serf("keys", `-use=${second}`);
      await s1.serf("keys", `-remove=${kKey}`);
    }

    c2.say("leave");
    await says(c2, /^left/);
    await until("s1 sees c2 leave", async () => (await s1.status("c2")) === "left", s1.lines);
    await s2.serf("leave");
    await says(c1, /^member-leave s2 /);

    // Nobody who lives is suspected for long enough to count as failed.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    assert.ok(!c1.lines.some((line) => line.startsWith("member-failed")), c1.lines.join("\n"));
    assert.equal(await s1.status("c1"), "alive");

    c1.child.kill("SIGKILL");
    await until("s1 sees c1 fail", async () => (await s1.status("c1")) === "failed", s1.lines);
    const c3 = await startOurs("c3", ["--join", s1.address, "--key",
      encrypted ? Buffer.alloc(16, "l").toString("base64") : kKey].slice(0, encrypted ? 4 : 2));
    await says(c3, /^join OK/);
    await s1.serf("force-leave", "c1");
    await until("c1 counts as left", async () => (await s1.status("c1")) === "left", s1.lines);
    s1.child.kill("SIGKILL");
    await says(c3, /^member-failed s1 /);
  });
}

test("a state that is compressed through a full table is read", async () => {
  const s1 = await startSerf("big1");
  for (let i = 0; i < 45; ++i) {
    const noise = Array.from({ length: 300 }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90))).join("");
    await s1.serf("event", "-coalesce=false", `e${i}`, noise);
  }
  const c1 = await startOurs("big2", ["--join", s1.address]);
  await says(c1, /^join OK/);
  assert.equal(c1.lines.filter((line) => line.startsWith("event e")).length, 45);
});

test("without the key nobody gets in", async () => {
  const s1 = await startSerf("k1", [`-encrypt=${kKey}`]);
  const plain = await startOurs("k2", ["--join", s1.address]);
  await says(plain, /^join (?!OK)/);
  assert.equal(await s1.status("k2"), undefined);
});
