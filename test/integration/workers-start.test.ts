/**
 * What is tested: a server of several processes that can't start says why as one of one process does, once and with the
 * same exit status, and no process of it is left.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { gssocks } from "../support/gssocks.js";
import { scratch } from "../support/identd.js";
import { Origin } from "../support/origin.js";
import { Realm } from "../support/realm.js";

/** Those whose command line names the file, or that are its workers. */
function processesWith(text: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(text);
    } catch {
      return false;
    }
  });
}

test("what keeps a server from starting", async (context) => {
  const realm = await Realm.start();
  context.after(() => realm.stop());
  const dir = await scratch(context);
  const taken = await Origin.start(() => {});
  context.after(() => taken.stop());
  writeFileSync(path.join(dir, "users"), "no hash\n", { mode: 0o600 });

  const cases: [what: string, config: object, status: number, message: RegExp][] = [
    ["a port that is taken", { listeners: [{ address: `127.0.0.1:${taken.port}` }] }, 1, /EADDRINUSE/],
    ["no keytab", { gssapi: { keytab: path.join(dir, "none.keytab") } }, 1, /none\.keytab/],
    [
      "a bad users file",
      {
        listeners: [{ address: "127.0.0.1:0", methods: ["password"] }],
        passwords: { file: path.join(dir, "users") },
      },
      2,
      /users:1/,
    ],
    [
      "no certificate",
      { listeners: [{ address: "127.0.0.1:0", tls: { certificate: "/no/cert", key: "/no/key" } }] },
      1,
      /\/no\/cert can't be read/,
    ],
  ];
  for (const [what, config, status, message] of cases) {
    await context.test(what, async () => {
      const outcomes = [];
      for (const workers of [1, 3]) {
        const file = path.join(dir, `${workers}.yaml`);
        const whole = {
          listeners: [{ address: "127.0.0.1:0" }],
          gssapi: { keytab: realm.keytab },
          workers,
          ...config,
        };
        writeFileSync(file, stringify(whole));
        const mark = `GSSOCKS_TEST_MARK=${path.basename(dir)}`;
        const env = { ...realm.env, GSSOCKS_TEST_MARK: path.basename(dir) };
        const { code, stdout, stderr } = await gssocks(["serve", "--config", file], { env });
        assert.deepEqual(processesWith(mark), []);
        const lines = stdout.split("\n").filter((line) => line !== "");
        const failed = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "failed");
        outcomes.push({ code, stderr, failed: failed.map(({ reason }) => reason) });
      }
      assert.deepEqual(outcomes[1], outcomes[0]);
      assert.equal(outcomes[1]?.code, status);
      assert.match(outcomes[1]?.stderr ?? "", message);
      assert.equal(outcomes[1]?.failed.length, 1);
    });
  }
});
