/**
 * Chromium, headless, with a ticket: a page with sub-resources over HTTP and HTTPS through a listener that takes HTTP and wants
 * Negotiate, which the browser does by itself; each that went is in the audit trail as the user's. Without a ticket it gets
 * nothing. (It asks the proxy for hosts of its own, too, which the rules deny.)
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { HttpOrigin } from "../support/http-origin.js";
import { runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { isSessionRecord } from "../support/proxy.js";

const IMAGE = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");

test("Chromium loads a page through the proxy, by its user's ticket", async (t) => {
  const { proxy, realm } = await proxiedRealm(
    t,
    {
      listeners: [{ address: "127.0.0.1:0", http: true, gssapi: { protectionLevels: ["none"] } }],
      rules: [{ allow: { to: ["localhost"], principal: ["alice@EXAMPLE.TEST"] } }],
    },
    { services: ["HTTP/localhost"] },
  );
  const made = await makeCertificate(realm.dir, "localhost", "DNS:localhost", await makeAuthority(realm.dir));
  const https = createServer({ cert: await readFile(made.certificate), key: await readFile(made.key) });
  https.on("request", (_, response) => {
    response.setHeader("Content-Type", "text/javascript").end('document.body.append("by https; ");');
  });
  https.listen(0, "127.0.0.1");
  await once(https, "listening");
  t.after(() => {
    https.closeAllConnections();
    https.close();
  });
  const { port: securePort } = https.address() as AddressInfo;
  const origin = await HttpOrigin.start(t, ({ url }, response) => {
    const [type = "", body = ""] = {
      "/": ["text/html", page(securePort)],
      "/by-http.js": ["text/javascript", 'document.body.append("by http; ");'],
      "/style.css": ["text/css", "body { background: url(/image.gif?style) }"],
    }[url] ?? [url.startsWith("/image") ? "image/gif" : "text/plain", IMAGE];
    response.setHeader("Content-Type", type as string).end(body);
  });

  async function load(ccache: string): Promise<string> {
    const args = [
      ...["--headless", "--no-sandbox", "--disable-quic", "--disable-gpu", "--disable-dev-shm-usage"],
      ...[
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
      `--user-data-dir=${path.join(realm.dir, `profile-${path.basename(ccache)}`)}`,
      ...[`--proxy-server=http://localhost:${proxy.port}`, "--proxy-bypass-list=<-loopback>"],
      // The origin's certificate is nobody's, and no matter of the proxy's.
      ...["--ignore-certificate-errors", "--dump-dom", `http://localhost:${origin.port}/`],
    ];
    const env = { ...realm.env, KRB5CCNAME: ccache, HOME: realm.dir };
    const { stdout, stderr } = await runToEnd("chromium", args, { env, timeoutMs: 60_000 });
    return stdout === "" ? stderr : stdout;
  }

  await t.test("with a ticket", async () => {
    const dom = await load(process.env.KRB5CCNAME as string);
    assert.match(dom, /by http; .*by https; .*image 1/s);
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

function page(securePort: number): string {
  return `<!doctype html><link rel="stylesheet" href="/style.css"><body>
    <script src="/by-http.js"></script>
    <script src="https://localhost:${securePort}/by-https.js"></script>
    <img src="/image.gif" onload="document.body.append('image ' + this.naturalWidth)">`;
}
