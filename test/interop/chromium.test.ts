/**
 * Chromium, headless, with a ticket: a page with sub-resources over HTTP and HTTPS through a listener that takes HTTP and wants
 * Negotiate, which the browser does by itself; each that went is in the audit trail as the user's. Without a ticket it gets
 * nothing. (It asks the proxy for hosts of its own, too, which the rules deny.)
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { ALL_OF_IT, loadPage, startRichPage } from "../support/chromium.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { isSessionRecord } from "../support/proxy.js";

test("Chromium loads a page through the proxy, by its user's ticket", async (t) => {
  const { proxy, realm } = await proxiedRealm(
    t,
    {
      listeners: [{ address: "127.0.0.1:0", http: true, gssapi: { protectionLevels: ["none"] } }],
      rules: [{ allow: { to: ["localhost"], principal: ["alice@EXAMPLE.TEST"] } }],
    },
    { services: ["HTTP/localhost"] },
  );
  const { origin, securePort } = await startRichPage(t, realm.dir);
  const load = (ccache: string) =>
    loadPage(`http://localhost:${proxy.port}`, `http://localhost:${origin.port}/`, {
      dir: realm.dir,
      profile: path.basename(ccache),
      env: { ...realm.env, KRB5CCNAME: ccache },
    });

  await t.test("with a ticket", async () => {
    const dom = await load(process.env.KRB5CCNAME as string);
    assert.match(dom, ALL_OF_IT);
    const paths = new Set(origin.asked.map(({ url }) => url));
    for (const each of ["/", "/by-http.js", "/style.css", "/image.gif"]) assert.ok(paths.has(each), each);
    for (const port of [origin.port, securePort]) {
      const which = ({ destination }: Record<string, unknown>) => destination === `localhost:${port}`;
      const record = await proxy.audit((line) => which(line) && line.rule === 1);
      assert.deepEqual(
        [record.principal, record.method, record.targetName],
        ["alice@EXAMPLE.TEST", "gssapi", "HTTP/localhost@EXAMPLE.TEST"],
      );
    }
  });

  await t.test("without one", async () => {
    const before = origin.asked.length;
    const isNew = proxy.later();
    const dom = await load(`FILE:${path.join(realm.dir, "none")}`);
    assert.doesNotMatch(dom, /by http; /);
    assert.equal(origin.asked.length, before);
    await proxy.waitForLog(
      (line) => isNew(line) && isSessionRecord(line) && line.code === "AUTHENTICATION_REQUIRED",
    );
  });
});
