// Profile heimdal: the realm's KDC is Heimdal's; all that works with MIT's works with its tickets and keytabs, too.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { assertPassed, clientOf, compose, containerOf, docker, logOf } from "./compose.mjs";

before(() => compose("up", "--detach", "--wait", "heimdal-proxy", "heimdal-origin"));

test("docker compose run heimdal-client test", async () => {
  assertPassed(await clientOf("heimdal-client", "test", "test/"));
});

test("its tickets are Heimdal's, and the proxy let them in", async () => {
  const id = await containerOf("heimdal-kdc");
  // It logs to standard error.
  const log = await docker("logs", id, { stderr: true });
  assert.match(log, /TGS-REQ alice@EXAMPLE\.TEST .* for rcmd\/proxy\.example\.test@EXAMPLE\.TEST/);
  const principals = new Set((await logOf("heimdal-proxy")).map(({ principal }) => principal));
  assert.ok(principals.has("alice@EXAMPLE.TEST"));
});
