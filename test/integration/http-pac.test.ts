/**
 * What is tested: the auto-configuration that a listener has at /proxy.pac (its option `pac`): by GET and HEAD, for whoever
 * asks; by no other method, and at no other path.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { serverOptions } from "../../src/cli/server-options.js";
import { parseConfig } from "../../src/config/load.js";
import { Server } from "../../src/server/server.js";
import { HttpWire } from "../support/http-wire.js";

const SCRIPT = 'function FindProxyForURL(url, host) { return "DIRECT"; }\n';

test("a listener's auto-configuration", async (t) => {
  const written = { listeners: [{ address: "127.0.0.1:0", http: true, methods: ["none"] }], rules: [] };
  const options = serverOptions(parseConfig(JSON.stringify(written), "the test"), () => {});
  const listeners = options.listeners.map((each) => ({ ...each, pac: SCRIPT }));
  const server = new Server({ ...options, listeners }, () => {});
  await server.start();
  t.after(() => server.stop(0));
  const wire = await HttpWire.connect(Number(server.addresses[0]?.split(":").at(-1)));
  const get = await wire.ask(["GET /proxy.pac HTTP/1.1", "Host: a"]);
  assert.deepEqual(
    [get.status, get.fields["content-type"], get.body],
    [200, "application/x-ns-proxy-autoconfig", SCRIPT],
  );
  const head = await wire.ask(["HEAD /proxy.pac HTTP/1.1", "Host: a"]);
  assert.deepEqual([head.status, head.fields["content-length"]], [200, String(SCRIPT.length)]);
  for (const line of ["POST /proxy.pac", "GET /proxy.pac/", "GET //proxy.pac", "GET /"])
    assert.equal((await wire.ask([`${line} HTTP/1.1`, "Host: a"])).status, 404, line);
  wire.client.socket.end();
});
