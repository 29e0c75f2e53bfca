// The console, in a real browser, against real nodes. Screenshots go beside the packages.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { kScreenshots, openPage } from "./browser.js";
import { scratchPath, startNode } from "./cairn_nodes.js";
import { bytes, clock, scaled, time } from "./page/format.js";
import { ClusterMetrics, growth, parseMetrics, quantile } from "./page/metrics.js";
import { run, until } from "./serf_agents.js";

const kCairn = process.env.PROGRAM;
const kHostile = `<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>"'>javascript:window.hacked=3`;
let nodes;
let page; // at the first node, for all but the last tests

// Records as lines of JSON, as `cairn produce --jsonl` takes them.
async function produce(node, topic, records, options = []) {
  const file = scratchPath("records.jsonl");
  writeFileSync(file, records.map((record) => JSON.stringify(record) + "\n").join(""));
  await run(kCairn, ["produce", topic, "--addr", node.rpc, "--jsonl", "--file", file, ...options]);
}
const numbered = (first, count) => Array.from({ length: count }, (_, i) => ({ key: `key-${first + i}`, value: `{"number":${first + i},"city":"Zürich"}` }));

const at = (text) => until(text, async () => (await page.text("body")).includes(text), page.faults);
const rows = () => page.locator("#record-rows > tr:not(.detail)");
const rowCount = (count) => until(`${count} rows`, async () => (await rows().count()) === count, page.faults);
// The topic's partition 0 from its first record.
async function browse(topic) {
  await page.locator('[name="topic"]').fill(topic);
  await page.locator('[name="from"]').selectOption("earliest");
  await page.getByRole("button", { name: "Show", exact: true }).click();
}

before(async () => {
  const first = await startNode("stone", ["--bootstrap", "--rack", "r1"]);
  const more = await Promise.all(["slate", "granite"].map((name, i) =>
    startNode(name, ["--start-join-addrs", first.address, "--rack", `r${i + 2}`])));
  nodes = [first, ...more];
  await until("three nodes", async () => (await first.nodes())?.length === 3, first.lines);
  for (const [topic, partitions] of [["orders", "3"], ["clicks.raw", "1"], ["hostile", "1"]]) {
    await until(`${topic} is there`, async () => (await first.ask("topic", "create", topic, "--partitions", partitions)) ??
      (await first.ask("topic", "describe", topic)), first.lines);
  }
  await until("all in sync", async () => (await first.ask("cluster", "why"))?.waits.length === 0 &&
    (await first.ask("cluster", "status"))?.partitions.every(({ replicas }) => replicas.length === 3), first.lines);
  page = await openPage(`http://${first.rpc}/`);
});

after(() => nodes?.forEach(({ child }) => child.kill("SIGKILL")));

test("rates and quantiles are those of the time between two answers, over all nodes", () => {
  const text = (records, fast, slow, errors) => `# HELP x y
cairn_partition_produced_records_total{topic="a\\"b",partition="0"} ${records}
cairn_partition_produced_records_total{topic="c",partition="1"} ${records}
cairn_produce_duration_seconds_bucket{le="0.001"} ${fast}
cairn_produce_duration_seconds_bucket{le="0.01"} ${fast + slow}
cairn_produce_duration_seconds_bucket{le="+Inf"} ${fast + slow}
cairn_rpc_requests_total{method="/x",code="OK"} 7
cairn_rpc_requests_total{method="/x",code="NOT_FOUND"} ${errors}
cairn_rpc_requests_total{method="/x",code="CANCELLED"} ${errors * 9}
cairn_other 1
`;
  const [series] = parseMetrics(text(5, 0, 0, 0), new Set(["cairn_partition_produced_records_total"])).values();
  assert.deepEqual(series[0], { labels: { topic: 'a"b', partition: "0" }, value: 5 });
  const metrics = new ClusterMetrics();
  assert.equal(metrics.summary().inRecords, null);
  metrics.take(1, text(1000, 500, 500, 3), 0);
  metrics.take(2, text(0, 0, 0, 0), 0);
  assert.equal(metrics.summary().inRecords, null, "nothing is known of one answer");
  metrics.take(1, text(1200, 590, 510, 5), 2000);
  metrics.take(2, text(100, 0, 0, 0), 1000);
  const { inRecords, produceP50, produceP99, errors, fsyncP99 } = metrics.summary();
  assert.equal(inRecords, 200 + 200, "2 x 200 in 2 s, and 2 x 100 in 1 s");
  assert.equal(errors, 1);
  assert.ok(Math.abs(produceP50 - 0.001 * (50 / 90)) < 1e-9, `${produceP50}`);
  assert.ok(Math.abs(produceP99 - (0.001 + 0.009 * 0.9)) < 1e-9, `${produceP99}`);
  assert.equal(fsyncP99, null);
  assert.equal(metrics.partitions().get("c/1").inRecords, 100 + 100);
  assert.equal(growth(10, 4), 4, "a process that began anew");
  assert.equal(quantile(new Map([[1, 0], [Infinity, 0]]), 0.5), null);
  assert.equal(quantile(new Map([[1, 1], [Infinity, 5]]), 0.99), 1, "no more is known");
});

test("numbers have units and few digits", () => {
  assert.deepEqual([0, 0.5, 9.994, 999, 999.6, 12_345, 3e9].map((number) => scaled(number).join("")),
    ["0", "0.50", "9.99", "999", "1.00k", "12.3k", "3.00G"]);
  assert.deepEqual([null, 0, 1023, 1024, 5e6].map(bytes), ["–", "0 B", "1023 B", "1.00 KiB", "4.77 MiB"]);
  assert.deepEqual([undefined, 0.00025, 0.0123, 2.5].map(time), ["–", "250 µs", "12.3 ms", "2.50 s"]);
  assert.match(clock(0), /^\d\d:\d\d:00$/);
});

test("nodes, topics, leaders and members are shown as the command line has them", async () => {
  await at("Every partition has its leader");
  await until("it is up to date", async () => (await page.text("#member-rows")).match(/alive/g)?.length === 3, page.faults);
  assert.equal(await page.locator("#node-cards > li").count(), 3);
  const cluster = await nodes[0].ask("cluster", "status");
  for (const node of cluster.nodes) {
    const card = page.locator("#node-cards > li", { has: page.getByRole("heading", { name: node.name, exact: true }) });
    await until(`${node.name} is active`, async () =>
      new RegExp(`active[^]*node ${node.id}[^]*${node.address}`).test(await card.innerText()), page.faults);
  }
  await page.getByRole("button", { name: "orders" }).click();
  const rows = page.getByRole("region", { name: "Partitions of orders" }).locator("tbody tr");
  const replicas = async () => Promise.all((await rows.all()).map((row) => row.locator(".replica").allInnerTexts()));
  // Leaders may move in between.
  await until("the leaders are those of the command line", async () => {
    const { controller, partitions } = await nodes[0].ask("cluster", "status");
    const orders = partitions.filter(({ topic }) => topic === "orders");
    const shown = await replicas();
    return (await page.text("#controller")).includes(`(${controller})`) && shown.length === orders.length &&
      orders.every(({ partition, leader }) => shown[partition].length === 3 && shown[partition].includes(`${leader} leads`));
  }, page.faults);
  assert.equal(await page.locator("#member-rows > tr").count(), 3);
  await until("all are alive", async () => (await page.locator("#member-rows .state.ok").count()) === 3, page.faults);
});

test("what is produced moves the charts and the topics", async () => {
  const chart = (title) => page.locator(".chart", { hasText: title }).locator(".big").first();
  // Of records that go in, the leader tells.
  await run(kCairn, ["cluster", "transfer", "clicks.raw", "0", "--to", "1", "--addr", nodes[0].rpc]);
  let sent = 0;
  const moves = (title) => until(`${title} moves`, async () => {
    await produce(nodes[0], "clicks.raw", numbered(sent, 200));
    sent += 200;
    return /[1-9]/.test(await chart(title).innerText());
  }, page.faults);
  for (const title of ["Records in", "Bytes in", "Time to produce", "Fsync"]) await moves(title);
  await until("consumers move the charts", async () => {
    await run(kCairn, ["consume", "clicks.raw", "--addr", nodes[0].rpc]);
    return /[1-9]/.test(await chart("Records out").innerText());
  }, page.faults);
  const row = page.locator("#topic-rows > tr", { hasText: "clicks.raw" });
  await until("the topic's records", async () => (await row.innerText()).includes(sent.toLocaleString("en")), page.faults);
  assert.notEqual(await page.locator(".chart path.line").first().getAttribute("d"), "");
  assert.match(await page.locator(".chart svg").first().getAttribute("aria-label"), /^Records in: now .*\/s; at most/);
});

test("records are paged through, opened and followed", async () => {
  await produce(nodes[1], "orders", numbered(0, 120), ["--partition", "0"]);
  await browse("orders");
  await rowCount(50);
  assert.match(await rows().first().innerText(), /0\s[^]*key-0[^]*Zürich/);
  await page.getByRole("button", { name: "Next →" }).click();
  await until("the second page", async () => (await rows().first().innerText()).includes("key-50"), page.faults);
  await page.getByRole("button", { name: "← Previous" }).click();
  await until("the first page", async () => (await rows().first().innerText()).includes("key-0\t"), page.faults);
  await page.getByRole("button", { name: "Offset 1:" }).click();
  assert.equal(await page.locator("#record-rows pre").innerText(), '{"number":1,"city":"Zürich"}');
  await page.getByLabel("Hex").check();
  assert.match(await page.locator("#record-rows pre").innerText(), /^000000 {2}7b 22 6e 75 6d 62 65 72 22 3a 31 2c 22 63 69 74 {2}\{"number":1,"cit/);
  await page.getByLabel("Text").check();

  await page.locator('[name="from"]').selectOption("offset");
  await page.locator('[name="offset"]').fill("500");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await at("offset 500 is outside of the log, which holds [0, 120)");
  await page.getByRole("button", { name: "Go to the first record" }).click();
  await rowCount(50);

  await page.getByRole("button", { name: "Follow the tail" }).click();
  await rowCount(20);
  await produce(nodes[2], "orders", [{ value: "hot off the press" }], ["--partition", "0"]);
  await at("hot off the press");
  await page.getByRole("button", { name: "Follow the tail", pressed: true }).click();
  await page.getByRole("button", { name: "Follow the tail", pressed: false }).waitFor();
});

test("an answer that comes late is not shown over a later one", async () => {
  let release;
  const held = new Promise((resolve) => {
    page.route(/records\.json.*offset=60&/, async (route) => {
      resolve();
      await new Promise((resolve) => (release = resolve));
      await route.continue().catch(() => {}); // nobody waits for it any more
    });
  });
  await page.locator('[name="from"]').selectOption("offset");
  await page.locator('[name="offset"]').fill("60");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await held;
  await page.getByRole("button", { name: "Follow the tail" }).click();
  await rowCount(20);
  release();
  const asOf = await page.text("#as-of");
  await until("a new status", async () => (await page.text("#as-of")) !== asOf, page.faults);
  await produce(nodes[2], "orders", [{ value: "still followed" }], ["--partition", "0"]);
  await at("still followed");
  assert.equal(await rows().count(), 21);
  await page.getByRole("button", { name: "Follow the tail", pressed: true }).click();
  await page.unrouteAll();
});

test("what a record holds is text, whatever it is", async () => {
  const header = { name: kHostile, value: kHostile };
  await produce(nodes[0], "hostile", [{ key: kHostile, value: kHostile, headers: [header] }, { value: "\u202e\u0000\ud83d\ude00" },
    { value_base64: Buffer.from([0xff, 0, 1]).toString("base64") }, { value: "x".repeat(100_000) }, { value: null }, { value: "" }]);
  await browse("hostile");
  await rowCount(6);
  await page.getByRole("button", { name: "Offset 0:" }).click();
  await page.getByRole("button", { name: "Offset 3:" }).click();
  assert.equal(await page.locator("#record-rows pre").first().innerText(), kHostile);
  const [first] = await page.locator("#record-rows .headers").all();
  assert.equal((await first.innerText()).split(kHostile).length - 1, 3, "key, and name and value of the header");
  await page.getByRole("button", { name: "Show all" }).click();
  await until("the whole value", async () => (await page.locator("#record-rows pre").last().innerText()).length === 100_000, page.faults);
  const lines = await page.locator("#record-rows > tr:not(.detail)").allInnerTexts();
  assert.match(lines[2], /ff 00 01/);
  assert.match(lines[4], /null$/);
  assert.match(lines[5], /empty$/);
  await page.shot("hostile");
  assert.equal(await page.locator("#records img, #records script").count(), 0);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  // A topic that is not there, named by whoever sends a link.
  await browse(kHostile);
  await at("INVALID_TOPIC_NAME");
  assert.equal(await page.evaluate(() => window.hacked), undefined);
});

test("the keyboard is enough", async () => {
  const keyboard = await openPage(`http://${nodes[0].rpc}/`);
  await keyboard.locator("#topic-rows").getByText("orders").waitFor();
  await keyboard.keyboard.press("Tab");
  assert.equal(await keyboard.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await keyboard.keyboard.press("Enter");
  const tabTo = async (what, found) => {
    for (let i = 0; i < 60; ++i) {
      await keyboard.keyboard.press("Tab");
      if (await keyboard.evaluate(found)) return;
    }
    assert.fail(`no way by Tab to ${what}`);
  };
  await tabTo("the topic", () => document.activeElement.classList.contains("opener") && document.activeElement.textContent === "orders");
  assert.notEqual(await keyboard.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none", "the focus is visible");
  await keyboard.keyboard.press("Enter");
  await tabTo("its first partition", () => document.activeElement.getAttribute("aria-label") === "Browse the records of orders, partition 0");
  await keyboard.keyboard.press("Space");
  await keyboard.locator("#record-rows").getByText("key-49", { exact: true }).waitFor();
  assert.equal(await keyboard.evaluate(() => document.activeElement.name), "topic", "one is where the records are asked for");
  await tabTo("the next page", () => document.activeElement.id === "next");
  await keyboard.keyboard.press("Enter");
  await keyboard.locator("#record-rows").getByText("key-99", { exact: true }).waitFor();
  // What is shown anew every other second does not take the focus away.
  const asOf = await keyboard.text("#as-of");
  await until("a new status", async () => (await keyboard.text("#as-of")) !== asOf, keyboard.faults);
  assert.equal(await keyboard.evaluate(() => document.activeElement.id), "next");
  assert.deepEqual(keyboard.faults.filter(isFault), []);
  await keyboard.context().close();
});

test("it fits a phone, in light and in dark", async () => {
  for (const [name, colorScheme, width] of [["phone-light", "light", 360], ["phone-dark", "dark", 360], ["tablet", "light", 800]]) {
    const phone = await openPage(`http://${nodes[0].rpc}/`, { viewport: { width, height: 740 }, colorScheme, isMobile: width < 500, hasTouch: true });
    await phone.getByRole("button", { name: "orders" }).click();
    await phone.getByRole("region", { name: "Partitions of orders" }).waitFor();
    await phone.locator('[name="topic"]').fill("hostile");
    await phone.getByRole("button", { name: "Show", exact: true }).click();
    await phone.getByRole("button", { name: "Offset 0:" }).click();
    if (name === "phone-light") await until("rates", async () => /\d/.test(await phone.locator(".chart .big").first().innerText()), phone.faults);
    await phone.shot(name);
    assert.equal(await phone.overflow(), 0, name);
    const [ground, ink] = await phone.evaluate(() => ["background-color", "color"].map((property) =>
      getComputedStyle(document.body).getPropertyValue(property).match(/\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b)));
    assert.equal(ground < ink, colorScheme === "dark", name);
    assert.deepEqual(phone.faults.filter(isFault), []);
    await phone.context().close();
  }
});

test("nothing went wrong in the page so far, and it looks as it should", async () => {
  await browse("orders");
  await rowCount(50);
  await page.evaluate(() => scrollTo(0, 0));
  await page.shot("light");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.shot("dark");
  await page.emulateMedia({ colorScheme: "light" });
  assert.equal(await page.overflow(), 0);
  // The browser itself writes down that an answer was an error; those of records are asked for above.
  assert.deepEqual(page.faults.filter(isFault), [], `screenshots are in ${kScreenshots}`);
});

// A node may not pass on the metrics of the others, and errors were provoked.
const isFault = (fault) => !/Failed to load resource: the server responded with a status of (400|404|503).*\/(metrics\?node=|records\.json)/.test(fault);

test("a node that dies is shown, and so is that the page's own is gone", async () => {
  nodes[2].child.kill("SIGKILL");
  await until("granite is unreachable", async () => /granite[^]*unreachable/.test(await page.text("#node-cards")), page.faults);
  await at("does not answer the controller");
  await until("it is said aloud", async () => (await page.locator("#announcer").innerText()).includes("granite"), page.faults);
  await until("partitions miss a copy", async () => (await page.text("#topic-rows")).includes("under-replicated"), page.faults);
  await page.shot("node-down");
  nodes[1].child.kill("SIGKILL");
  await at("no controller");
  await page.shot("alone");
  nodes[0].child.kill("SIGKILL");
  await page.locator("#banner", { hasText: "This node does not answer since" }).waitFor();
  await page.shot("offline");
});

test("with certificates each sees what it may, and others a refusal that says why", async () => {
  const directory = scratchPath("certs");
  await run(kCairn, ["certs", "init", "--dir", directory]);
  await run(kCairn, ["certs", "issue", "secure", "--node", "--dir", directory]);
  for (const name of ["ops", "reader", "mallory"]) await run(kCairn, ["certs", "issue", name, "--dir", directory]);
  writeFileSync(scratchPath("model.conf"), `[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && keyMatch(r.obj, p.obj) && regexMatch(r.act, p.act)
`);
  writeFileSync(scratchPath("policy.csv"), "p, ops, *, .*\np, reader, orders, consume\n");
  const files = (name) => ["cert", "key", "ca"].map((file) =>
    `${directory}/${file === "ca" ? "ca" : file === "key" ? `${name}-key` : name}.pem`);
  const flags = (prefix, name) => files(name).flatMap((file, i) => [`--${prefix}tls-${["cert", "key", "ca"][i]}-file`, file]);
  const secure = await startNode("secure", [...flags("server-", "secure"), ...flags("peer-", "secure"),
    "--acl-model-file", scratchPath("model.conf"), "--acl-policy-file", scratchPath("policy.csv")]);
  const as = (name) => flags("", name);
  await run(kCairn, ["topic", "create", "orders", "--addr", secure.rpc, ...as("ops")]);
  await produce(secure, "orders", [{ value: "for the reader" }], as("ops"));
  const origin = `https://${secure.rpc}`;
  const open = (name) => openPage(`${origin}/`, {
    ignoreHTTPSErrors: true, // the authority is ours
    clientCertificates: [{ origin, certPath: files(name)[0], keyPath: files(name)[1] }],
  });
  const show = async (tab) => {
    await tab.locator('[name="topic"]').fill("orders");
    await tab.getByRole("button", { name: "Show", exact: true }).click();
  };

  const ops = await open("ops");
  await ops.locator("#topic-rows").getByText("orders").waitFor();
  await show(ops);
  await ops.locator("#record-rows").getByText("for the reader").waitFor();
  assert.deepEqual(ops.faults, []);

  const reader = await open("reader");
  await reader.getByText("reader not permitted to describe to *").waitFor();
  await show(reader);
  await reader.locator("#record-rows").getByText("for the reader").waitFor();
  assert.equal(await reader.locator("#topics").isVisible(), false);

  const mallory = await open("mallory");
  await mallory.getByText("mallory not permitted to describe to *").waitFor();
  await show(mallory);
  await mallory.getByText("mallory not permitted to consume to orders").waitFor();
  assert.equal(await mallory.locator("#record-rows > tr").count(), 0);
  await mallory.shot("refused");
});
