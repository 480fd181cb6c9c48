// Reloads one after the other, whoever asks; what needs a restart; none before the server serves, and none once it stops.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { stringify } from "yaml";
import { type Loaded, Reloader } from "../../../src/cli/reloader.js";
import { loadConfig } from "../../../src/config/load.js";
import type { ServerEvent } from "../../../src/observability/events.js";
import { type Deferred, deferred } from "../../support/deferred.js";
import { scratch } from "../../support/identd.js";

const OUTCOME = { added: [], removed: [], ended: 0 };

async function scene(t: TestContext, begun = true) {
  const file = path.join(await scratch(t), "config.yaml");
  const write = (config: object) =>
    writeFileSync(file, stringify({ listeners: [{ address: "127.0.0.1:1" }], ...config }));
  write({});
  const events: ServerEvent[] = [];
  const applying: { loaded: Loaded; done: Deferred<typeof OUTCOME> }[] = [];
  const apply = (loaded: Loaded) => {
    const done = deferred<typeof OUTCOME>();
    applying.push({ loaded, done });
    return done.promise;
  };
  const read = () => ({ source: "", config: loadConfig(file) });
  const reloader = new Reloader(read, loadConfig(file), (event) => events.push(event), apply);
  if (begun) reloader.begin();
  return { reloader, write, events, applying };
}

test("one that is asked for while another is under way waits, and those that wait are one", async (t) => {
  const { reloader, write, events, applying } = await scene(t, false);
  const early = reloader.reload();
  await settled();
  assert.equal(applying.length, 0);
  reloader.begin();
  while (applying.length === 0) await settled();
  const waiting = [reloader.reload(), reloader.reload()];
  write({ limits: { sessions: 2 } });
  await settled();
  assert.equal(applying.length, 1);
  applying[0]?.done.resolve(OUTCOME);
  assert.equal(await early, OUTCOME);
  while (applying.length === 1) await settled();
  // The file as it is when its turn has come.
  assert.equal(applying[1]?.loaded.config.limits.sessions, 2);
  applying[1]?.done.resolve({ ...OUTCOME, ended: 3 });
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ ended }) => ended),
    [3, 3],
  );
  assert.deepEqual(
    events.map((event) => event.type === "reloaded" && event.ended),
    [0, 3],
  );
  assert.equal(reloader.config.limits.sessions, 2);
});

test("one that fails changes nothing, and the next has its turn", async (t) => {
  const { reloader, events, applying } = await scene(t);
  const failing = reloader.reload();
  while (applying.length === 0) await settled();
  const next = reloader.reload().then(() => "done");
  const before = reloader.config;
  applying[0]?.done.reject(new Error("no room"));
  await assert.rejects(failing, /no room/);
  assert.equal(reloader.config, before);
  while (applying.length === 1) await settled();
  applying[1]?.done.resolve(OUTCOME);
  assert.equal(await next, "done");
  assert.deepEqual(
    events.map(({ type }) => type),
    ["reload-failed", "reloaded"],
  );
});

test("what is looked at only at the start", async (t) => {
  const { reloader, write, applying } = await scene(t);
  const ntlmssp = { mechanisms: ["krb5", "ntlmssp"] };
  for (const [config, keys] of [
    [{ workers: 2 }, "workers"],
    [{ audit: { onFull: "drop" } }, "audit"],
    [{ metrics: {} }, "metrics"],
    [{ control: { socket: "/run/x" } }, "control"],
    [{ identd: {} }, "identd"],
    [{ workers: 2, metrics: {}, log: { level: "warn" } }, "workers, metrics"],
    [{ gssapi: { ...ntlmssp, keytab: "/keytab" } }, "gssapi.keytab"],
  ] as const) {
    write(config);
    await assert.rejects(reloader.reload(), {
      code: "RESTART_NEEDED",
      message: `a restart is needed for ${keys}; nothing was changed`,
    });
  }
  assert.equal(applying.length, 0);
  for (const config of [
    { gssapi: { keytab: "/keytab" } },
    { log: { level: "warn" } },
    { rules: [{ allow: {} }] },
  ]) {
    write(config);
    const reload = reloader.reload();
    const count: number = applying.length;
    while (applying.length === count) await settled();
    applying.at(-1)?.done.resolve(OUTCOME);
    await reload;
  }
});

test("none once the server stops, and nothing is told then", async (t) => {
  const { reloader, events, applying } = await scene(t);
  const last = reloader.reload();
  while (applying.length === 0) await settled();
  reloader.end();
  const late = reloader.reload();
  applying[0]?.done.resolve(OUTCOME);
  await last;
  await assert.rejects(late, { code: "STOPPING" });
  assert.deepEqual(events, []);
});
