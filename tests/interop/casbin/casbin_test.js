// Our Casbin decides as Casbin's own implementation: on its own examples, and on CASBIN_TRIPLES random triples.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createRequire } from "node:module";
import { test } from "node:test";
import { Generator } from "./generator.js";
import { casbinDecides, plain, weDecide } from "./oracle.js";

console.log = () => {}; // node-casbin prints what ipMatch refuses
const kRequestsPerPolicy = 4;
const kBatch = 2000;
const kShown = 4;
const examples = join(dirname(createRequire(import.meta.url).resolve("casbin/package.json")), "examples");

async function compare(questions, describe) {
  const ours = await weDecide(questions);
  const seen = { true: 0, false: 0, error: 0 };
  const differences = [];
  for (const [i, question] of questions.entries()) {
    const expected = await casbinDecides(question);
    const found = plain(ours[i], question.requests.length);
    expected.forEach((verdict) => ++seen[verdict]);
    const at = expected.findIndex((verdict, j) => verdict !== found[j]);
    if (at === -1) continue;
    differences.push(`${describe(i)}\n${question.model}\n${question.policy}\ncontext ${question.context}, request ` +
      `${JSON.stringify(question.requests[at])}: Casbin ${expected[at]}, ours ${ours[i].load ?? ours[i].verdicts[at]}`);
  }
  assert.ok(differences.length === 0, `${differences.length} differ:\n${differences.slice(0, kShown).join("\n\n")}`);
  return seen;
}

// The policies that belong to a model, beside the one of its own name.
const kMore = {
  basic_model: ["basic_inverse_policy"],
  basic_with_root_model: ["basic_policy"],
  rbac_model: ["rbac_with_hierarchy_policy"],
  rbac_with_domains_model: ["rbac_with_domains_policy2", "rbac_with_hierarchy_with_domains_policy"],
  rbac_with_not_deny_model: ["rbac_with_deny_policy"],
  priority_model: ["priority_indeterminate_policy"],
  priority_model_explicit: ["priority_policy_explicit", "priority_policy_explicit_update"],
  subject_priority_model_with_domain: ["subject_priority_policy_with_domain"],
  abac_rule_model: ["abac_rule_policy"],
  "issues/node_casbin_150_model": [],
};

function* exampleQuestions() {
  const files = [...readdirSync(examples), "issues/node_casbin_150_model.conf"].filter((file) => file.endsWith(".conf"));
  for (const file of files) {
    const name = file.slice(0, -".conf".length);
    // keyMatchCustom is a function that its test adds.
    if (name === "keymatch_custom_model") continue;
    const model = readFileSync(join(examples, file), "utf8");
    const own = name.replace(/_model/, "_policy");
    for (const policyName of new Set([own, ...(kMore[name] ?? [])])) {
      const path = join(examples, `${policyName}.csv`);
      const policy = existsSync(path) ? readFileSync(path, "utf8") : "# none";
      const rows = policy.split("\n").filter((line) => /^[pg]/.test(line)).map((line) => line.split(",").map((v) => v.trim()));
      const words = new Set(["nobody", ...rows.flatMap((row) => row.slice(1)).filter((word) => !word.includes("r.sub"))]);
      for (const match of policy.matchAll(/\/\w[\w/]*/g)) words.add(match[0] + "7");
      for (const [number, columns] of [...model.matchAll(/^r2? *= *(.*)$/gm)].map((m, i) => [i + 1, m[1].split(",")])) {
        const requests = combinations([...words].slice(0, 24), columns.map((column) => column.trim()), model, policy, number);
        if (number === 2) yield { name: policyName, model, policy, requests, context: [2, 2, 1, 2] };
        else yield { name: policyName, model, policy, requests };
      }
    }
  }
}

// Many requests of the words of a policy; objects where the model reads members.
function combinations(words, columns, model, policy, number) {
  const people = [{ Age: 17, Owner: "alice", Doc: "a" }, { Age: 30, Owner: "bob", Doc: "b" }, { Age: 70, Owner: "alice", Doc: "c" }];
  const things = [{ Owner: "alice", Docs: ["a", "b"] }, { Owner: "bob", Docs: [] }];
  const ips = ["192.168.2.123", "192.168.3.1", "10.0.7.7", "11.0.0.1"];
  const values = columns.map((column) => {
    if (column === "obj" && /r\.obj\.\w/.test(model)) return things;
    if (column === "sub" && (number === 2 ? /r2\.sub\.\w/ : /r\.sub\.\w/).test(model + policy)) return people;
    if (column === "sub" && /ipMatch/.test(model)) return ips;
    return words;
  });
  if (/r\.sub == r\.obj\.Owner/.test(model)) values[0] = ["alice", "bob"];
  let all = [[]];
  for (const list of values) all = all.flatMap((head) => list.map((value) => [...head, value]));
  const step = Math.max(1, Math.floor(all.length / 3000));
  return all.filter((_, i) => i % step === 0);
}

test("the examples that come with Casbin", async () => {
  const questions = [...exampleQuestions()];
  const seen = await compare(questions, (i) => questions[i].name);
  assert.ok(questions.length > 30 && seen.true > 100 && seen.false > 100, JSON.stringify(seen));
  process.stdout.write(`# ${questions.length} examples: ${JSON.stringify(seen)}\n`);
});

test("the ancestor's model and policy", async () => {
  const model = "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n" +
    "[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = r.sub == p.sub && r.obj == p.obj && r.act == p.act\n";
  const policy = "p, root, *, produce\np, root, *, consume\n";
  const requests = [["root", "*", "produce"], ["root", "*", "consume"], ["nobody", "*", "produce"], ["root", "x", "produce"]];
  await compare([{ model, policy, requests }], () => "ancestor");
  const [answer] = await weDecide([{ model, policy, requests }]);
  assert.deepEqual(answer.verdicts, [true, true, false, false]);
});

test("random models, policies and requests", async () => {
  const triples = Number(process.env.CASBIN_TRIPLES);
  const seed = Number(process.env.CASBIN_SEED);
  const sum = { true: 0, false: 0, error: 0 };
  let done = 0;
  for (let batch = 0; done < triples; ++batch) {
    const generator = new Generator(seed + batch);
    const size = Math.min(kBatch, Math.ceil((triples - done) / kRequestsPerPolicy));
    const questions = Array.from({ length: size }, () => generator.question(kRequestsPerPolicy));
    const seen = await compare(questions, (i) => `seed ${seed + batch}, question ${i}`);
    for (const key of Object.keys(sum)) sum[key] += seen[key];
    done += size * kRequestsPerPolicy;
  }
  assert.ok(sum.true > done / 20 && sum.false > done / 20 && sum.error < done / 5, JSON.stringify(sum));
  process.stdout.write(`# ${done} triples from seed ${seed}: ${JSON.stringify(sum)}\n`);
});
