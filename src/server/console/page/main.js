// Asks the node how things are, every other second, and has it shown.
import { makeCharts } from "./charts.js";
import { byId, el, reconcile, setText } from "./dom.js";
import { clock, plural, scaled, scaledBytes, scaledTime } from "./format.js";
import { ClusterMetrics } from "./metrics.js";
import { showAlerts, showIdentity, showMembers, showNodes } from "./overview.js";
import { browseRecords, offerTopics, setUpRecords } from "./records.js";
import { setUpTopics, showTopics, topicsToAsk } from "./topics.js";

const kEveryMs = 2_000;
const kSoonMs = 200; // until it is known of whom to ask
const kRefusedEveryMs = 10_000;
const kTimeoutMs = 8_000;
const kRelayAgainMs = 60_000;

const metrics = new ClusterMetrics();
const perSecond = (number) => {
  const [shown, unit] = scaled(number);
  return [shown, `${unit}/s`];
};
const charts = makeCharts(byId("charts"), [
  { title: "Records in", lines: [{ field: "inRecords" }], show: perSecond },
  { title: "Records out", lines: [{ field: "outRecords" }], show: perSecond },
  { title: "Bytes in", lines: [{ field: "inBytes" }], show: (number) => scaledBytes(number, "/s") },
  { title: "Bytes out", lines: [{ field: "outBytes" }], show: (number) => scaledBytes(number, "/s") },
  { title: "Time to produce", lines: [{ name: "p50", field: "produceP50" }, { name: "p99", field: "produceP99" }], show: scaledTime },
  { title: "Fsync", lines: [{ name: "p99", field: "fsyncP99" }], show: scaledTime },
  { title: "Replica lag", lines: [{ field: "lag" }], show: (number) => scaled(number, " entries").map((part) => part.trim()) },
  { title: "RPC errors", lines: [{ field: "errors" }], show: perSecond },
]);

let status; // the last answer of /status.json
let answeredMs; // when it came

const get = (path) => fetch(path, { cache: "no-store", signal: AbortSignal.timeout(kTimeoutMs) });

// ---- status ----

function showBanner(text) {
  const banner = byId("banner");
  banner.hidden = text === undefined;
  if (text !== undefined) setText(banner, text);
  document.body.classList.toggle("stale", text !== undefined);
}

function show() {
  if (status === undefined) return;
  showIdentity(status);
  showAlerts(status);
  showNodes(status, metrics);
  showTopics(status, metrics);
  showMembers(status);
  offerTopics(status);
}

// Who may not see the cluster may still see records.
function showRefusal(text) {
  status = undefined;
  showBanner();
  for (const section of document.querySelectorAll("[data-cluster]")) section.hidden = true;
  const make = () => ({
    element: el("li", { class: "alert bad" }, el("span", { class: "word" }, "Refused"),
      el("p", {}, el("strong", {}, text), " The state of the cluster is for who may describe it. Records of a topic are below, for who may consume it.")),
    update: () => {},
  });
  reconcile(byId("alerts"), [text], (one) => `refused ${one}`, make);
}

async function askForPartitions(answer) {
  await Promise.all(topicsToAsk(answer).map(async (name) => {
    const response = await get(`/status.json?topic=${encodeURIComponent(name)}`);
    if (!response.ok) return;
    const [topic] = (await response.json()).topics;
    if (topic !== undefined) Object.assign(answer.topics.find((one) => one.name === name), topic);
  }));
}

// Returns when to ask again, in ms.
async function pollStatus() {
  const since = answeredMs === undefined ? "" : ` since ${clock(answeredMs)}; what is shown is from then`;
  let response;
  try {
    response = await get("/status.json");
    const answer = await response.json();
    if (response.status === 401 || response.status === 403) {
      showRefusal(answer.error);
      return kRefusedEveryMs;
    }
    if (!response.ok) {
      showBanner(`The node says: ${answer.error}${since}.`);
      return kEveryMs;
    }
    await askForPartitions(answer);
    status = answer;
  } catch {
    showBanner(`This node does not answer${since}. Trying again.`);
    return kEveryMs;
  }
  answeredMs = Date.now();
  showBanner();
  setText(byId("as-of"), clock(answeredMs));
  for (const section of document.querySelectorAll("[data-cluster]")) section.hidden = false;
  show();
  return kEveryMs;
}

// ---- metrics ----

let relayAgainMs = 0; // a node that does not pass on others' metrics is not asked to until then

async function readMetrics(node) {
  const own = node === status.node.id;
  if (!own && Date.now() < relayAgainMs) return false;
  try {
    const response = await get(own ? "/metrics" : `/metrics?node=${node}`);
    if (!own && (response.status === 404 || response.status === 400)) relayAgainMs = Date.now() + kRelayAgainMs;
    if (!response.ok) return false;
    metrics.take(node, await response.text(), performance.now());
    return true;
  } catch {
    return false;
  }
}

async function pollMetrics() {
  if (status === undefined || status.node.id === null) return kSoonMs;
  const asked = status.nodes.filter(({ id, reachable }) => id === status.node.id || reachable === true).map(({ id }) => id);
  const read = await Promise.all(asked.map(readMetrics));
  if (status === undefined) return kEveryMs;
  const answered = new Set(asked.filter((_, i) => read[i]));
  metrics.keepOnly(answered);
  const scope = answered.size === 0 ? "not known now"
    : answered.size === status.nodes.length ? `of ${answered.size === 1 ? "the one node" : `all ${answered.size} nodes`}`
    : answered.size === 1 && answered.has(status.node.id) ? `of this node alone`
    : `of ${plural(answered.size, "node")} of ${status.nodes.length}`;
  setText(byId("rates-scope"), `${scope}, over two minutes`);
  charts.push(metrics.summary());
  show();
  return kEveryMs;
}

// ---- for ever ----

// Nothing is asked while nobody looks.
async function keep(poll) {
  for (;;) {
    const afterMs = await poll();
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    if (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}

setUpTopics({
  onBrowse: browseRecords,
  onChange: async () => {
    if (status === undefined) return;
    show();
    if (topicsToAsk(status).length > 0) await askForPartitions(status).then(show, () => {});
  },
});
setUpRecords();
await Promise.all([keep(pollStatus), keep(pollMetrics)]);
