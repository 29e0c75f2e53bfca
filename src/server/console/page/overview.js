// Who answers, what is amiss, the nodes and the members.
import { announce, byId, el, reconcile, setAttribute, setText } from "./dom.js";
import { bytes, count, kNothing, plural, short, time } from "./format.js";

const nodeText = (status, id) => {
  const node = status.nodes.find((one) => one.id === id);
  return node === undefined ? `node ${id}` : `${node.name} (${id})`;
};

export function showIdentity(status) {
  setText(byId("own-node"), status.node.name);
  setText(byId("cluster-id"), status.cluster_id.slice(0, 8));
  setAttribute(byId("cluster-id"), "title", status.cluster_id);
  setText(byId("controller"), status.controller === null ? "none" : nodeText(status, status.controller));
  document.title = `${status.node.name} · cairn`;
}

// ---- what is amiss ----

// [{kind: "bad" | "warn" | "wait", about, why}], the worst first.
function alertsOf(status) {
  const alerts = [];
  const push = (kind, about, why) => alerts.push({ kind, about, why });
  if (status.controller_error !== undefined) {
    push("bad", "no controller", `${status.controller_error}. What is shown is what this node knows`);
  }
  for (const node of status.nodes) {
    if (node.reachable === false && node.state !== "dead") push("bad", `node ${node.name}`, "does not answer the controller");
    if (node.state === "dead") push("bad", `node ${node.name}`, "is dead: its replicas are made anew elsewhere");
    if (node.state === "draining") push("warn", `node ${node.name}`, "is being drained");
  }
  for (const topic of status.topics) {
    if (topic.leaderless > 0) push("bad", `topic ${topic.name}`, `${plural(topic.leaderless, "partition")} without a leader: nobody can produce there`);
  }
  for (const check of status.node.checks) {
    if (!check.ok) push(check.tolerated ? "warn" : "bad", `this node: ${check.name}`, check.why);
  }
  for (const { about, why } of status.waits) push("wait", about, why);
  const order = { bad: 0, warn: 1, wait: 2 };
  return alerts.sort((a, b) => order[a.kind] - order[b.kind]);
}

const kWords = { bad: "Trouble", warn: "Warning", wait: "Waits", quiet: "Fine" };

function makeAlert({ kind }) {
  const about = el("strong");
  const why = el("span");
  return {
    element: el("li", { class: `alert ${kind}` }, el("span", { class: "word" }, kWords[kind]), el("p", {}, about, " ", why)),
    update: (alert) => {
      setText(about, alert.about);
      setText(why, alert.why);
    },
  };
}

let alertsBefore;

export function showAlerts(status) {
  const alerts = alertsOf(status);
  const key = ({ kind, about }) => `${kind} ${about}`;
  const keys = new Set(alerts.map(key));
  // The same thing may wait for two reasons.
  const unique = alerts.filter((alert, i) => alerts.findIndex((other) => key(other) === key(alert)) === i);
  const quiet = { kind: "quiet", about: "Nothing.", why: "Every partition has its leader and its replicas." };
  reconcile(byId("alerts"), unique.length > 0 ? unique : [quiet], key, makeAlert);
  if (alertsBefore !== undefined) {
    const fresh = unique.filter((alert) => !alertsBefore.has(key(alert)));
    if (fresh.length > 0) announce(fresh.map(({ kind, about, why }) => `${kWords[kind]}: ${about} ${why}`).join(". "));
    else if (keys.size === 0 && alertsBefore.size > 0) announce("The cluster waits for nothing any more.");
  }
  alertsBefore = keys;
}

// ---- nodes ----

// What a node is, in one word and a colour.
function nodeState(node) {
  if (node.state === "dead") return ["dead", "bad"];
  if (node.reachable === false) return ["unreachable", "bad"];
  if (node.state === "draining") return ["draining", "warn"];
  if (node.reachable === null) return [`${node.state}?`, "warn"];
  return [node.state, "ok"];
}

const kNodeFacts = ["leads", "holds", "in", "out", "fsync p99", "memory", "clients", "gossip"];

function makeNode() {
  const name = el("h3");
  const state = el("span", { class: "state" });
  const badges = el("span", { class: "badges" });
  const where = el("p", { class: "note where" });
  const facts = kNodeFacts.map((fact) => [fact, el("dd", {}, kNothing)]);
  const element = el("li", { class: "card" }, el("div", { class: "title-line" }, name, state), badges, where,
    el("dl", { class: "facts" }, ...facts.map(([fact, value]) => el("div", {}, el("dt", {}, fact), value))));
  const update = ({ node, status, rates, leads, holds }) => {
    const [word, kind] = nodeState(node);
    setText(name, `${node.name}`);
    setText(state, word);
    setAttribute(state, "class", `state ${kind}`);
    const marks = [`node ${node.id}`];
    if (node.id === status.controller) marks.push("controller");
    if (node.id === status.node.id) marks.push("this page");
    reconcile(badges, marks, (mark) => mark, (mark) => ({ element: el("span", { class: "badge" }, mark), update: () => {} }));
    setText(where, [node.address, node.rack && `rack ${node.rack}`, node.version].filter(Boolean).join(" · "));
    const perSecond = (rate) => (rate == null ? kNothing : `${short(rate)}/s`);
    const values = {
      leads: count(leads), holds: count(holds), in: perSecond(rates.inRecords), out: perSecond(rates.outRecords),
      "fsync p99": time(rates.fsyncP99), memory: bytes(rates.memory), clients: count(rates.connections),
      gossip: node.gossip,
    };
    for (const [fact, value] of facts) setText(value, values[fact]);
  };
  return { element, update };
}

export function showNodes(status, metrics) {
  const leads = new Map();
  const holds = new Map();
  const add = (map, id) => map.set(id, (map.get(id) ?? 0) + 1);
  for (const topic of status.topics) {
    for (const partition of topic.partitions ?? []) {
      if (partition.leader !== null) add(leads, partition.leader);
      partition.replicas.forEach((id) => add(holds, id));
    }
  }
  const items = status.nodes.map((node) => ({
    node, status, rates: metrics.ofNode(node.id), leads: leads.get(node.id) ?? 0, holds: holds.get(node.id) ?? 0,
  }));
  reconcile(byId("node-cards"), items, ({ node }) => node.id, makeNode);
}

// ---- members ----

const kStatusKinds = { alive: "ok", leaving: "warn", left: "warn", failed: "bad" };

function makeMember() {
  const cells = ["th", "td", "td", "td"].map((tag, i) => el(tag, i === 0 ? { scope: "row" } : { class: i === 3 ? "code" : undefined }));
  const state = el("span");
  cells[1].append(state);
  const update = (member) => {
    setText(cells[0], member.name);
    setText(state, member.status);
    setAttribute(state, "class", `state ${kStatusKinds[member.status] ?? "warn"}`);
    setText(cells[2], member.kind);
    setText(cells[3], member.address);
  };
  return { element: el("tr", {}, ...cells), update };
}

export function showMembers(status) {
  reconcile(byId("member-rows"), status.members, ({ name }) => name, makeMember);
}
