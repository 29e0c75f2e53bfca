// Both sides of the comparison: Casbin's own implementation in this process, ours behind CASBIN_AGENT.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import * as casbin from "casbin";

// Reading a member that an object lacks gives `undefined` in JavaScript and an error in ours. Here it throws too, so
// that both fail; everything else about the object is as it was.
function strict(value) {
  if (Array.isArray(value)) return value.map(strict);
  if (value === null || typeof value !== "object") return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, of]) => [key, strict(of)]));
  return new Proxy(inner, {
    get(target, key) {
      if (typeof key === "string" && !(key in target)) throw new Error(`no member ${key}`);
      return target[key];
    },
  });
}

const named = (letter, number) => (number === 1 ? letter : letter + number);

// {model, policy, context?, requests} to true, false or "error" for each request.
export async function casbinDecides({ model, policy, context, requests }) {
  let enforcer;
  try {
    enforcer = await casbin.newEnforcer(casbin.newModelFromString(model), new casbin.StringAdapter(policy));
  } catch (error) {
    return requests.map(() => "error");
  }
  return requests.map((request) => {
    const values = request.map(strict);
    if (context) {
      const [r, p, e, m] = context;
      values.unshift(new casbin.EnforceContext(named("r", r), named("p", p), named("e", e), named("m", m)));
    }
    try {
      return enforcer.enforceSync(...values);
    } catch (error) {
      return "error";
    }
  });
}

// Asks our implementation all `questions` at once; {load: error} or {verdicts: [true, false or error]} for each.
export function weDecide(questions) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.env.CASBIN_AGENT, [], { stdio: ["pipe", "pipe", "inherit"] });
    const answers = [];
    createInterface({ input: child.stdout }).on("line", (line) => answers.push(JSON.parse(line)));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 && answers.length === questions.length
        ? resolve(answers)
        : reject(new Error(`the agent ended with ${code} after ${answers.length} of ${questions.length}`)));
    child.stdin.on("error", () => {});
    child.stdin.end(questions.map((question) => JSON.stringify(question) + "\n").join(""));
  });
}

export const plain = (answer, count) =>
  answer.load !== undefined
    ? Array(count).fill("error")
    : answer.verdicts.map((verdict) => (typeof verdict === "boolean" ? verdict : "error"));
