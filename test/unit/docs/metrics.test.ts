// docs/metrics.md against the metrics themselves: each is in the table with its type and labels, and nothing else is; the
// names are as Prometheus wants them; the examples, the alerts and the dashboard speak of metrics that there are.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import type { AuditSession, ServerEvent } from "../../../src/observability/events.js";
import { Metrics } from "../../../src/observability/metrics.js";
import { MetricsSum } from "../../../src/observability/metrics-sum.js";

const DOCS = readFileSync(new URL("../../../../docs/metrics.md", import.meta.url), "utf8");

const subject = { session: "0011", client: "192.0.2.1:1", principal: "alice@EXAMPLE.TEST" };
const record = { outcome: "completed", level: null, bytesUp: 1, bytesDown: 1, sealedUp: 0, sealedDown: 0 };

/** One of each that is counted. */
const EVENTS = [
  { type: "session-opened", subject, listener: "127.0.0.1:1080" },
  { type: "handshake", method: "gssapi", outcome: "completed", phases: { method: 0.001 } },
  { type: "relaying", phases: { connect: 0.001 } },
  { type: "decision", record: { decision: "allow", rule: 1 } },
  { type: "association-closed", subject, datagramsUp: 1, datagramsDown: 1, dropped: { rate: 1 } },
  { type: "session-failed", subject, step: "relay", code: "BAD_TOKEN", reason: "", major: "GSS_S_BAD_SIG" },
  { type: "session-closed", record: record as AuditSession },
] as ServerEvent[];

interface Metric {
  type: string;
  help: string;
  labels: Set<string>;
}

/** By name. */
async function metrics(): Promise<Map<string, Metric>> {
  const proxies = [{ proxy: "localhost:1080", state: "up", failures: 0, sessions: 0 }] as const;
  const upstreams = () => [{ upstream: "next", proxies }];
  const made = new Metrics({ sessions: () => [], upstreams, dropped: () => 0 });
  for (const event of EVENTS) made.observer(event);
  const { body } = await new MetricsSum().text(await made.json());
  made.close();
  const found = new Map<string, Metric>();
  let current: Metric | undefined;
  for (const line of body.split("\n")) {
    const [, name = "", help = ""] = /^# HELP (\S+) (.*)$/.exec(line) ?? [];
    if (name !== "") {
      current = { type: "", help, labels: new Set() };
      found.set(name, current);
    }
    const [, type] = /^# TYPE \S+ (\w+)$/.exec(line) ?? [];
    if (current !== undefined && type !== undefined) current.type = type;
    for (const [, label = ""] of line.replace(/^#.*/, "").matchAll(/[{,](\w+)="/g)) {
      if (label !== "le") current?.labels.add(label);
    }
  }
  return found;
}

test("the table has every metric, with its type and its labels, and no other", async () => {
  const told = [...DOCS.matchAll(/^\| `(\w+)` \| (counter|gauge|histogram) \| ?(.*?) \| .+ \|$/gm)].map(
    ([, name, type, labels = ""]) => `${name} ${type} ${labels.replaceAll("`", "")}`.trim(),
  );
  const there = [...(await metrics())].map(([name, { type, labels }]) =>
    `${name} ${type} ${[...labels].join(", ")}`.trim(),
  );
  assert.ok(there.length > 15, String(there.length));
  assert.deepEqual(told.sort(), there.sort());
});

test("the names are as Prometheus wants them", async () => {
  for (const [name, { type, help, labels }] of await metrics()) {
    assert.match(name, /^(?:gssocks|process|nodejs)(?:_[a-z0-9]+)+$/);
    assert.equal(
      name.endsWith("_total"),
      type === "counter",
      `${name}: counters, and no others, end in _total`,
    );
    assert.doesNotMatch(
      name,
      /_(?:ms|milliseconds|minutes|kb|kilobytes|count|sum|bucket|gauge|counter)(?:_|$)/,
    );
    if (type === "histogram") assert.match(name, /_seconds$/);
    assert.match(help, /^[A-Z].*[^.]$/, name);
    for (const label of labels) assert.match(label, /^[a-z][a-z_]*$/);
  }
});

/** @returns how many names of ours are in it, each of which there is */
async function known(expr: string): Promise<number> {
  const there = await metrics();
  const names: string[] = expr.match(/\bgssocks_\w+/g) ?? [];
  for (const name of names) {
    assert.ok(there.has(name) || there.has(name.replace(/_(?:bucket|count|sum)$/, "")), name);
  }
  return names.length;
}

test("the examples are YAML, and speak of metrics that there are", async () => {
  const examples = [...DOCS.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => parse(text));
  assert.equal(examples.length, 2);
  const rules = examples.flatMap(({ groups = [] }) => groups).flatMap(({ rules }) => rules);
  assert.equal(rules.length, 3);
  for (const { expr } of rules) assert.ok((await known(expr)) > 0, expr);
});

test("the dashboard and the alerts speak of metrics that there are", async () => {
  const observe = new URL("../../../../containers/observe/", import.meta.url);
  const dashboard = readFileSync(new URL("grafana/dashboards/gssocks.json", observe), "utf8");
  const { panels } = JSON.parse(dashboard) as { panels: { title: string; targets: { expr: string }[] }[] };
  assert.ok(panels.length > 5);
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      // Other metrics of the process stand beside ours, as process_resident_memory_bytes.
      assert.ok((await known(expr)) > 0 || /\b(?:process|nodejs)_\w+|\bup\b/.test(expr), title);
    }
  }
  const alerts = readFileSync(new URL("prometheus/alerts.yml", observe), "utf8");
  assert.ok((await known(alerts)) > 0);
});
