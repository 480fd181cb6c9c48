/**
 * Chromium, headless, which has no GSS-API for SOCKS5: a page with sub-resources over HTTP and HTTPS through `gssocks forward`,
 * as SOCKS5 and as HTTP, sealed on its way as the user. (It asks the proxy for hosts of its own, too, which the rules deny.)
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_OF_IT, loadPage, startRichPage } from "../support/chromium.js";
import { assertSealed, forwardedRealm } from "../support/forwarded-realm.js";

test("Chromium loads a page through the forwarder", async (t) => {
  const { realm, proxy, forwarder } = await forwardedRealm(t, {
    config: { rules: [{ allow: { to: ["localhost"] } }] },
  });
  const { origin, securePort } = await startRichPage(t, realm.dir);
  for (const scheme of ["socks5", "http"]) {
    await t.test(scheme, async () => {
      const isNew = proxy.later();
      // The browser has no ticket: it needs none.
      const env = { ...realm.env, KRB5CCNAME: `FILE:${realm.dir}/none` };
      const at = `${scheme}://127.0.0.1:${forwarder.port}`;
      const url = `http://localhost:${origin.port}/`;
      const dom = await loadPage(at, url, { dir: realm.dir, profile: scheme, env });
      assert.match(dom, ALL_OF_IT);
      for (const port of [origin.port, securePort]) await assertSealed(proxy, `localhost:${port}`, isNew);
    });
  }
});
