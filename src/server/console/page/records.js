// The record browser: pages through a partition, or follows its end. What a record holds is shown
// as text, whatever it is.
import { announce, byId, el, setAttribute, setText } from "./dom.js";
import { bytes, count, kNothing, moment, plural } from "./format.js";

const kPage = 50; // records
const kTail = 20; // that are there already when following begins
const kMaxRows = 500; // kept while following; older ones go
const kWaitMs = 20_000;
const kRetryMs = 2_000;
const kWhole = 1 << 20;
const kPreview = 240; // characters of a value in its row
const kHexShown = 4096; // bytes

const form = byId("records-form");
const rows = byId("record-rows");
const box = byId("records-box");
let shown; // the last answer
let question = new AbortController(); // what was asked last: no other answer is shown
let following = false;

// ---- asking ----

// The answer; an error has `reason` and `details` where the server gave them.
async function ask(parameters, signal) {
  const response = await fetch(`/records.json?${new URLSearchParams(parameters)}`, { signal, cache: "no-store" });
  const answer = await response.json();
  signal?.throwIfAborted(); // another question was asked meanwhile
  if (response.ok) return answer;
  throw Object.assign(new Error(answer.error), { code: answer.code, reason: answer.reason, details: answer.details ?? {} });
}

const place = () => ({ topic: form.elements.topic.value.trim(), partition: form.elements.partition.value || "0" });

// ---- one record ----

const utf8 = new TextDecoder("utf-8", { fatal: true });
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

// A key, a value or a header's part as {text | bytes | null, size}.
function field(object, name) {
  if (object[`${name}_base64`] !== undefined) {
    const raw = fromBase64(object[`${name}_base64`]);
    return { raw, size: object[`${name}_bytes`] ?? raw.length, cut: object[`${name}_bytes`] !== undefined };
  }
  const text = object[name];
  if (text == null) return { nothing: true, size: 0, cut: false };
  const raw = new TextEncoder().encode(text);
  return { text, raw, size: object[`${name}_bytes`] ?? raw.length, cut: object[`${name}_bytes`] !== undefined };
}

const hexByte = (byte) => byte.toString(16).padStart(2, "0");

// As `hexdump -C` shows it.
function hexDump(raw) {
  const lines = [];
  for (let at = 0; at < Math.min(raw.length, kHexShown); at += 16) {
    const part = [...raw.slice(at, Math.min(at + 16, kHexShown))];
    const hex = part.map(hexByte).join(" ").padEnd(47);
    const text = part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex}  ${text}`);
  }
  if (raw.length > kHexShown) lines.push(`… ${count(raw.length - kHexShown)} bytes more`);
  return lines.join("\n");
}

const inHex = () => form.ownerDocument.querySelector('input[name="view"]:checked').value === "hex";

function preview({ nothing, text, raw, size }) {
  if (nothing) return "null";
  if (size === 0) return "empty";
  if (text !== undefined && !inHex()) return text.slice(0, kPreview);
  return [...raw.slice(0, kPreview / 4)].map(hexByte).join(" ");
}

function fillCell(cell, what) {
  const faint = what.nothing || what.size === 0;
  cell.classList.toggle("faint", faint);
  setText(cell, preview(what));
}

const whole = (what) => (what.nothing ? "null" : what.text !== undefined && !inHex() ? what.text : hexDump(what.raw));

async function copy(text, pre) {
  try {
    await navigator.clipboard.writeText(text); // not there without TLS, but on loopback
    announce("Copied.");
  } catch {
    getSelection().selectAllChildren(pre);
    announce("Selected. Copy it with the keyboard.");
  }
}

// What opens below a row: all of it.
function details(record) {
  const value = field(record, "value");
  const pre = el("pre", { tabindex: "0", "aria-label": `Value of the record at offset ${record.offset}` }, whole(value));
  const size = el("span", { class: "note" }, value.cut
    ? `${bytes(value.raw.length)} of ${bytes(value.size)}` : `${bytes(value.size)}${value.text === undefined && !value.nothing ? ", not text" : ""}`);
  const copyButton = el("button", { type: "button", class: "small", onclick: () => copy(whole(value), pre) }, "Copy");
  const all = value.cut && el("button", { type: "button", class: "small", onclick: async () => {
    try {
      const answer = await ask({ ...record.place, offset: record.offset, limit: 1, cut: kWhole, max_bytes: kWhole });
      if (answer.records.length > 0) Object.assign(record, { value: undefined, value_bytes: undefined }, answer.records[0]);
      pre.closest("td").replaceChildren(details(record));
    } catch (error) {
      showError(error);
    }
  } }, "Show all");
  const headers = (record.headers ?? []).map((header) =>
    el("div", {}, el("dt", {}, preview(field(header, "name"))), el("dd", {}, preview(field(header, "value")))));
  const key = field(record, "key");
  const facts = el("dl", { class: "headers" },
    el("div", {}, el("dt", { class: "faint" }, "key"), el("dd", { class: key.nothing ? "faint" : undefined }, key.nothing ? "none" : whole(key))),
    el("div", {}, el("dt", { class: "faint" }, "time"), el("dd", {}, new Date(record.timestamp_ms).toISOString?.() ?? "")), ...headers);
  return el("div", { class: "details" }, facts, el("div", { class: "controls" }, size, copyButton, ...(all ? [all] : [])), pre);
}

function makeRow(record) {
  const key = el("td", { role: "cell", class: "code key", "data-label": "Key" });
  const value = el("td", { role: "cell", class: "code value", "data-label": "Value" });
  const opener = el("button", { type: "button", class: "opener", "aria-expanded": "false", "aria-label": `Offset ${record.offset}: the whole record`,
    onclick: () => toggle() }, count(record.offset));
  const element = el("tr", { role: "row" }, el("th", { role: "rowheader", scope: "row", class: "number" }, opener),
    el("td", { role: "cell", class: "when", "data-label": "Time" }, moment(record.timestamp_ms)), key, value);
  let below;
  const toggle = () => {
    opener.setAttribute("aria-expanded", below === undefined);
    if (below !== undefined) {
      below.remove();
      below = undefined;
      return;
    }
    below = el("tr", { role: "row", class: "detail" }, el("td", { role: "cell", colspan: "4" }, details(record)));
    element.after(below);
  };
  const update = () => {
    const its = field(record, "key");
    if (its.nothing) setText(key, kNothing);
    else fillCell(key, its);
    fillCell(value, field(record, "value"));
    below?.firstChild.replaceChildren(details(record));
  };
  update();
  return { element, update, remove: () => { below?.remove(); element.remove(); } };
}

// ---- the table ----

let made = []; // rows of the table

function append(answer) {
  for (const record of answer.records) {
    made.push(makeRow(Object.assign(record, { place: { topic: answer.topic, partition: answer.partition } })));
    rows.append(made.at(-1).element);
  }
  made.splice(0, Math.max(0, made.length - kMaxRows)).forEach((row) => row.remove());
  byId("records-table").hidden = made.length === 0;
}

function replace(answer) {
  made.forEach((row) => row.remove());
  made = [];
  append(answer);
  box.scrollTop = 0;
}

// Not `disabled`: that would take the focus away from who pages with the keyboard.
const allow = (id, allowed) => setAttribute(byId(id), "aria-disabled", !allowed);
const whenAllowed = (act) => (event) => event.currentTarget.getAttribute("aria-disabled") !== "true" && act();

function showRange(answer, text) {
  shown = answer;
  allow("previous", !following && answer.start > answer.log_start);
  allow("next", !following && answer.next_offset < answer.high_watermark);
  byId("follow").disabled = false;
  const held = answer.high_watermark === answer.log_start ? "it is empty"
    : `it holds ${count(answer.log_start)} to ${count(answer.high_watermark - 1)}`;
  setText(byId("records-range"), `${text} ${answer.topic}, partition ${answer.partition}: ${held}.`);
}

function showError(error) {
  const line = byId("records-error");
  line.hidden = error === undefined;
  line.replaceChildren();
  if (error === undefined) return;
  line.append(el("span", { class: "word" }, error.reason ?? "No answer"), el("p", {}, error.message));
  const { log_start: first, leader_addr: leader } = error.details ?? {};
  if (error.reason === "OFFSET_OUT_OF_RANGE") {
    line.append(el("button", { type: "button", class: "small", onclick: () => show(Number(first)) }, "Go to the first record"));
  }
  // Said by the server, and still no more than a host and a port.
  if (/^[\w.[\]:-]+:\d+$/.test(leader ?? "")) {
    line.append(el("a", { href: `${location.protocol}//${leader}/#records` }, `Look there: ${leader}`));
  }
}

// ---- what the buttons do ----

// What was asked before is not waited for any more.
function askAnew() {
  question.abort();
  question = new AbortController();
  return question.signal;
}

async function offsetOfForm(where, signal) {
  const from = form.elements.from.value;
  if (from === "offset") return form.elements.offset.value || "0";
  if (from === "earliest") return "earliest";
  const end = await ask({ ...where, offset: "latest", limit: 1 }, signal);
  return Math.max(end.log_start, end.high_watermark - kPage);
}

async function show(offset) {
  stopFollowing();
  const signal = askAnew();
  const where = place();
  try {
    const from = offset ?? (await offsetOfForm(where, signal));
    const answer = await ask({ ...where, offset: from, limit: kPage }, signal);
    answer.start = answer.records[0]?.offset ?? answer.next_offset;
    showError();
    replace(answer);
    const last = answer.records.at(-1)?.offset;
    showRange(answer, answer.records.length === 0 ? "No records here." : `Offsets ${count(answer.start)} to ${count(last)} of`);
  } catch (error) {
    if (!signal.aborted) showError(error);
  }
}

function stopFollowing() {
  if (!following) return;
  question.abort();
  following = false;
  byId("follow").setAttribute("aria-pressed", "false");
  if (shown !== undefined) showRange(shown, "Followed");
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function follow() {
  const signal = askAnew();
  following = true;
  byId("follow").setAttribute("aria-pressed", "true");
  const where = place();
  let next;
  let received = 0;
  while (!signal.aborted) {
    try {
      if (next === undefined) {
        const end = await ask({ ...where, offset: "latest", limit: 1 }, signal);
        next = Math.max(end.log_start, end.high_watermark - kTail);
        replace({ ...end, records: [] });
      }
      const answer = await ask({ ...where, offset: next, limit: kMaxRows, wait_ms: kWaitMs }, signal);
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 8;
      showError();
      append(answer);
      if (atEnd) box.scrollTop = box.scrollHeight;
      next = answer.next_offset;
      received += answer.records.length;
      answer.start = answer.records[0]?.offset ?? next;
      showRange(answer, `Following, ${plural(received, "record")} so far.`);
    } catch (error) {
      if (signal.aborted) return;
      showError(error);
      // What is wrong with the question stays wrong; records that retention took are skipped.
      if (error.reason === "OFFSET_OUT_OF_RANGE") next = undefined;
      else if (error.code !== undefined && error.code !== "UNAVAILABLE") return stopFollowing();
      await pause(kRetryMs);
    }
  }
}

// Offers these topics; the field takes any name, for who may read a topic and not list them.
export function offerTopics(status) {
  const list = byId("topic-names");
  const names = status.topics.map(({ name }) => name);
  if (list.offered === names.join()) return;
  list.offered = names.join();
  list.replaceChildren(...names.map((name) => el("option", { value: name })));
}

// Shows a partition from its start.
export function browseRecords(topic, partition) {
  form.elements.topic.value = topic;
  form.elements.partition.value = partition;
  form.elements.from.value = "earliest";
  form.elements.offset.disabled = true;
  byId("records").scrollIntoView({ block: "start" });
  form.elements.topic.focus({ preventScroll: true });
  show();
}

export function setUpRecords() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
  form.elements.from.addEventListener("change", () => {
    form.elements.offset.disabled = form.elements.from.value !== "offset";
  });
  byId("previous").addEventListener("click", whenAllowed(() => show(Math.max(shown.log_start, shown.start - kPage))));
  byId("next").addEventListener("click", whenAllowed(() => show(shown.next_offset)));
  byId("follow").addEventListener("click", () => (following ? stopFollowing() : follow()));
  for (const choice of document.querySelectorAll('input[name="view"]')) {
    choice.addEventListener("change", () => made.forEach((row) => row.update()));
  }
}
