// How fast Casbin's own implementation and ours (CASBIN_AGENT, without its cache) decide the same requests.
import { execFileSync } from "node:child_process";
import * as casbin from "casbin";

const kSeconds = 2;
const head = "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n";
const tail = "[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = ";
const acl = "r.sub == p.sub && r.obj == p.obj && r.act == p.act\n";

function roles(rules) {
  const lines = [];
  for (let i = 0; i < rules; ++i) lines.push(`p, role${Math.floor(i / 10)}, topic${i % 100}, produce`, `g, user${i}, role${Math.floor(i / 10)}`);
  return lines.join("\n");
}

const cases = [
  { name: "ACL, 2 rules", model: head + tail + acl, policy: "p, alice, data1, read\np, bob, data2, write", users: ["alice", "bob"], things: ["data1", "data2"], act: "read" },
  {
    name: "roles, 1000 rules",
    model: head + "[role_definition]\ng = _, _\n" + tail + "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act\n",
    policy: roles(1000), users: ["user7", "user777", "user999", "nobody"], things: ["topic7", "topic77", "topic99"], act: "produce",
  },
  {
    name: "patterns, 100 rules",
    model: head + tail + "r.sub == p.sub && keyMatch2(r.obj, p.obj) && regexMatch(r.act, p.act)\n",
    policy: Array.from({ length: 100 }, (_, i) => `p, user${i % 10}, /topic${i}/:id, (read)|(write)`).join("\n"),
    users: ["user1", "user9"], things: ["/topic1/x", "/topic99/y", "/none/z"], act: "read",
  },
];

for (const { name, model, policy, users, things, act } of cases) {
  const requests = users.flatMap((user) => things.map((thing) => [user, thing, act]));
  const enforcer = await casbin.newEnforcer(casbin.newModelFromString(model), new casbin.StringAdapter(policy));
  let [decisions, allowed] = [0, 0];
  const start = process.hrtime.bigint();
  let passed = 0;
  while (passed < kSeconds) {
    for (const request of requests) allowed += enforcer.enforceSync(...request) ? 1 : 0;
    decisions += requests.length;
    passed = Number(process.hrtime.bigint() - start) / 1e9;
  }
  const theirs = (passed / decisions) * 1e9;
  const ours = JSON.parse(execFileSync(process.env.CASBIN_AGENT, ["--time", String(kSeconds)], { input: JSON.stringify({ model, policy, requests }) + "\n" }));
  if (ours.allowed / ours.decisions !== allowed / decisions) throw new Error(`${name}: the verdicts differ`);
  const own = (ours.seconds / ours.decisions) * 1e9;
  console.log(`${name}: node-casbin ${theirs.toFixed(0)} ns, ours ${own.toFixed(0)} ns, ${(theirs / own).toFixed(0)} times as fast`);
}
