/**
 * Chromium with the auto-configuration that `gssocks forward` has at /proxy.pac: it takes a name that nobody here can look up
 * through the proxy, and one of `--direct` by itself.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadPage } from "../support/chromium.js";
import { assertSealed } from "../support/forwarded-realm.js";
import { Forwarder } from "../support/forwarder.js";
import { HttpOrigin } from "../support/http-origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

test("Chromium goes by the forwarder's auto-configuration", async (t) => {
  const { realm, proxy } = await proxiedRealm(t, {
    rules: [{ allow: { to: ["*.example.test"], command: ["connect"] }, redirect: "127.0.0.1" }],
  });
  const origin = await HttpOrigin.start(t, (_, response) => response.end("there"));
  const env = { ...realm.env, KRB5CCNAME: process.env.KRB5CCNAME };
  const args = ["--proxy", proxy.address, "--direct", "direct.example.test"];
  const forwarder = await Forwarder.start(args, env);
  showOnFailure(t, () => forwarder.logs());
  t.after(() => forwarder.stop());
  const load = (host: string) =>
    loadPage(`http://127.0.0.1:${forwarder.port}/proxy.pac`, `http://${host}:${origin.port}/`, {
      dir: realm.dir,
      profile: host,
      env: { ...env, KRB5CCNAME: `FILE:${realm.dir}/none` },
    });

  assert.match(await load("through.example.test"), /there/);
  await assertSealed(proxy, `through.example.test:${origin.port}`);

  assert.doesNotMatch(await load("direct.example.test"), /there/);
  const asked = proxy.audits().filter(({ destination }) => String(destination).startsWith("direct."));
  assert.deepEqual(asked, [], "it was not the proxy that it asked");
});
