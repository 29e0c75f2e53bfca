// The topics, each of which opens to its partitions.
import { byId, el, reconcile, setAttribute, setText } from "./dom.js";
import { bytes, count, kNothing, plural, short } from "./format.js";
import { partitionKey } from "./metrics.js";

const open = new Set(); // names of topics whose partitions are shown
let redraw = () => {};
let browse = () => {};

// `onBrowse(topic, partition)` opens the records; `onChange()` shows all of this again.
export function setUpTopics({ onBrowse, onChange }) {
  browse = onBrowse;
  redraw = onChange;
  byId("topic-table").append(el("tbody", { role: "rowgroup", id: "topic-rows" }));
  byId("topic-filter").addEventListener("input", redraw);
}

// Topics whose partitions have to be asked for one by one: they are open, and were left out.
export const topicsToAsk = (status) =>
  status.topics.filter(({ name, partitions }) => open.has(name) && partitions === null).map(({ name }) => name);

// A partition, with what the metrics know of it beside what the status says.
function merged(topic, partition, metrics) {
  const seen = metrics.get(partitionKey({ topic: topic.name, partition: partition.partition })) ?? {};
  const lags = partition.members.map((member) => member.lag_entries).filter((lag) => lag !== null);
  return {
    ...seen,
    ...partition,
    logStart: partition.log_start ?? seen.logStart,
    highWatermark: partition.high_watermark ?? seen.highWatermark,
    followerLag: lags.length > 0 ? Math.max(...lags) : seen.followerLag,
  };
}

const total = (rows, field) => {
  const known = rows.map(field).filter((value) => value != null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
};
const largest = (rows, field) => {
  const known = rows.map(field).filter((value) => value != null);
  return known.length === 0 ? null : Math.max(...known);
};
const recordsIn = ({ highWatermark, logStart }) => (highWatermark == null || logStart == null ? null : highWatermark - logStart);

// Replicas that are behind, and consumers that are, where somebody measures it.
function lagText(followers, consumers) {
  const text = followers === null ? kNothing : count(followers);
  return consumers === null ? text : `${text} · consumers ${count(consumers)}`;
}

function stateOf(topic) {
  if (topic.leaderless > 0) return [`${count(topic.leaderless)} without leader`, "bad"];
  if (topic.under_replicated === null) return ["not known", "warn"];
  if (topic.under_replicated > 0) return [`${count(topic.under_replicated)} under-replicated`, "warn"];
  return ["in sync", "ok"];
}

const kTopicColumns = ["Partitions", "Copies", "Records", "In /s", "Out /s", "Size", "Lag"];

function makeTopic({ topic }) {
  const name = topic.name;
  const button = el("button", { type: "button", class: "opener", "aria-expanded": "false", onclick: () => {
    if (!open.delete(name)) open.add(name);
    redraw();
  } }, name);
  const cells = kTopicColumns.map((label) => el("td", { role: "cell", class: "number", "data-label": label }, kNothing));
  const state = el("span");
  const element = el("tr", { role: "row" }, el("th", { role: "rowheader", scope: "row", class: "code" }, button), ...cells,
    el("td", { role: "cell", "data-label": "State" }, state));
  const update = ({ topic: now, rows }) => {
    setAttribute(button, "aria-expanded", open.has(name));
    const values = [count(now.partition_count), count(now.replication_factor), count(total(rows, recordsIn)),
      short(total(rows, (row) => row.inRecords)), short(total(rows, (row) => row.outRecords)), bytes(total(rows, (row) => row.size)),
      lagText(largest(rows, (row) => row.followerLag), total(rows, (row) => row.consumerLag))];
    cells.forEach((cell, i) => setText(cell, values[i]));
    const [word, kind] = stateOf(now);
    setText(state, word);
    setAttribute(state, "class", `state ${kind}`);
  };
  return { element, update };
}

// A copy on a node, and what is the matter with it.
function replicaState(row, id) {
  const member = row.members.find(({ node }) => node === id);
  if (row.members.length === 0) return ["", "plain"];
  if (member === undefined) return ["to be made", "warn"];
  if (member.damaged) return ["damaged", "bad"];
  if (!member.reachable) return ["unreachable", "bad"];
  if (member.lag_entries > 0) return [`${short(member.lag_entries)} behind`, member.lag_entries > 1000 ? "warn" : "plain"];
  return member.voter ? ["", "plain"] : ["standby", "plain"];
}

function makeReplica() {
  const element = el("span", {});
  const update = ({ row, id }) => {
    const [word, kind] = replicaState(row, id);
    const leads = row.leader === id;
    setText(element, [String(id), leads && "leads", word].filter(Boolean).join(" "));
    setAttribute(element, "class", `replica ${kind}${leads ? " leads" : ""}`);
  };
  return { element, update };
}

const kPartitionColumns = ["Partition", "Replicas", "First offset", "End", "In /s", "Lag"];

function makePartition({ topic, row }) {
  const cells = kPartitionColumns.map((label, i) => el(i === 0 ? "th" : "td",
    i === 0 ? { scope: "row", class: "number" } : { class: label === "Replicas" ? undefined : "number" }));
  const button = el("button", { type: "button", class: "small", onclick: () => browse(topic.name, row.partition),
    "aria-label": `Browse the records of ${topic.name}, partition ${row.partition}` }, "Browse");
  const update = ({ row: now }) => {
    setText(cells[0], count(now.partition));
    const ids = now.leader === null || now.replicas.includes(now.leader) ? now.replicas : [now.leader, ...now.replicas];
    reconcile(cells[1], ids.map((id) => ({ row: now, id })), ({ id }) => id, makeReplica);
    const values = [count(now.logStart), count(now.highWatermark), short(now.inRecords ?? null),
      lagText(now.followerLag ?? null, now.consumerLag ?? null)];
    values.forEach((value, i) => setText(cells[i + 2], value));
  };
  return { element: el("tr", {}, ...cells, el("td", {}, button)), update };
}

function makePartitions({ topic }) {
  const body = el("tbody");
  const asking = el("p", { class: "note" }, "Asking for the partitions…");
  const table = el("table", {}, el("caption", { class: "unseen" }, `Partitions of ${topic.name}`),
    el("thead", {}, el("tr", {}, ...kPartitionColumns.map((label) =>
      el("th", { scope: "col", class: label === "Replicas" ? undefined : "number" }, label)), el("th", { scope: "col" }, el("span", { class: "unseen" }, "Records")))), body);
  const box = el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": `Partitions of ${topic.name}` }, table, asking);
  const update = ({ topic: now, rows }) => {
    asking.hidden = now.partitions !== null;
    table.hidden = !asking.hidden;
    reconcile(body, rows.map((row) => ({ topic: now, row })), ({ row }) => row.partition, makePartition);
  };
  return { element: el("tr", { role: "row", class: "detail" }, el("td", { role: "cell", colspan: "9" }, box)), update };
}

export function showTopics(status, metrics) {
  const wanted = byId("topic-filter").value.trim().toLowerCase();
  const partitions = metrics.partitions();
  const items = [];
  for (const topic of status.topics) {
    if (!topic.name.toLowerCase().includes(wanted)) continue;
    const rows = (topic.partitions ?? []).map((partition) => merged(topic, partition, partitions));
    items.push({ kind: "topic", topic, rows });
    if (open.has(topic.name)) items.push({ kind: "partitions", topic, rows });
  }
  reconcile(byId("topic-rows"), items, ({ kind, topic }) => `${kind} ${topic.name}`,
    (item) => (item.kind === "topic" ? makeTopic(item) : makePartitions(item)));
  const notes = [];
  if (items.length === 0) notes.push(wanted === "" ? "There are no topics." : "No topic has this in its name.");
  if (status.left_out.topics > 0) notes.push(`${plural(status.left_out.topics, "topic")} more are not shown.`);
  setText(byId("topics-note"), notes.join(" "));
}
