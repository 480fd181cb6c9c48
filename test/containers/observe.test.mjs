// Profile observe, as far as its images can be built here: Prometheus finds the proxies, takes our alerts, and answers each
// question that the dashboard for Grafana asks. (Grafana itself is not started.)
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { client, compose, eventually } from "./compose.mjs";

before(() => compose("up", "--detach", "--wait", "prometheus"));

async function ask(path) {
  const script = `fetch("http://prometheus:9090/api/v1/" + process.argv[1]).then(async (r) => console.log(await r.text()))`;
  const answer = JSON.parse(await compose("exec", "-T", "proxy", "node", "-e", script, path));
  assert.equal(answer.status, "success", `${path}: ${answer.error}`);
  return answer.data;
}
const query = async (text) => (await ask(`query?query=${encodeURIComponent(text)}`)).result;

test("the proxy is found and read", async () => {
  await client("demo");
  await eventually(async () => {
    const { activeTargets } = await ask("targets");
    return activeTargets.some(
      ({ health, scrapeUrl }) => health === "up" && scrapeUrl.endsWith(":9464/metrics"),
    );
  });
});

test("the alerts are taken", async () => {
  const { groups } = await ask("rules");
  const rules = groups.flatMap((group) => group.rules);
  assert.equal(rules.length, 3);
  assert.deepEqual(
    rules.filter(({ health, lastError }) => lastError || !["ok", "unknown"].includes(health)),
    [],
  );
});

test("each question of the dashboard has an answer", async () => {
  const dashboard = JSON.parse(
    readFileSync(
      new URL("../../containers/observe/grafana/dashboards/gssocks.json", import.meta.url),
      "utf8",
    ),
  );
  await eventually(async () => (await query("sum(rate(gssocks_sessions_opened_total[1m]))")).length > 0);
  for (const { title, targets } of dashboard.panels) {
    for (const { expr } of targets) {
      const asked = expr
        .replaceAll("$__rate_interval", "1m")
        .replaceAll("$__range", "1h")
        .replaceAll("$instance", ".*");
      assert.doesNotMatch(asked, /\$/, title);
      const result = await query(asked);
      // What counts faults and datagrams may be empty here; all else had something to count.
      if (!/ > 0$|datagrams/.test(expr)) assert.ok(result.length > 0, `${title}: nothing for ${asked}`);
    }
  }
});
