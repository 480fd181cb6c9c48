// The compose project as its users see it: the demo, the tests inside, and the audit trail that they leave.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertPassed, client, logOf } from "./compose.mjs";

test("docker compose run client demo", async () => {
  const shown = await client("demo");
  assert.match(shown, /\ndemo: all of it worked: .*\n$/);
});

test("docker compose run client test: the project's", async (t) => {
  t.diagnostic(`${assertPassed(await client("test", "test/"))} tests inside`);
});

// Some of them, for the time that they take; `client test` runs all that can be run in there.
const INTEGRATION = [
  "cli-connect",
  "cross-realm",
  "half-close",
  "keytab-rotation",
  "protection-levels",
  "shutdown",
  "spnego",
];
test("docker compose run client test: integration tests", async (t) => {
  const report = await client("test", ...INTEGRATION.map((name) => `integration/${name}`));
  t.diagnostic(`${assertPassed(report)} tests inside`);
});

test("all of it is in the audit trail", async () => {
  const records = (await logOf("proxy")).filter(({ msg }) => msg === "audit");
  const some = (wanted) =>
    assert.ok(
      records.some((record) => Object.entries(wanted).every(([key, value]) => record[key] === value)),
      `none of ${records.length} records has ${JSON.stringify(wanted)}`,
    );
  const alice = { principal: "alice@EXAMPLE.TEST", method: "gssapi", mechanism: "krb5" };
  for (const level of ["confidentiality", "integrity", "none"]) {
    some({ ...alice, type: "session", destination: "origin.example.test:80", level, outcome: "completed" });
  }
  some({ ...alice, type: "decision", destination: "origin.example.test:22", decision: "allow" });
  some({ ...alice, type: "decision", destination: "kdc.example.test:88", decision: "deny" });
  some({
    type: "decision",
    principal: "bob@EXAMPLE.TEST",
    destination: "origin.example.test:22",
    decision: "deny",
  });
});
