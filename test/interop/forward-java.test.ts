/**
 * A Java program through `gssocks forward`: URLConnection and Socket by the properties that everybody sets (-DsocksProxyHost,
 * SOCKS5 and 4; -Dhttp.proxyHost), java.net.http by an HTTP proxy; over HTTP and HTTPS.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertSealed, forwardedRealm } from "../support/forwarded-realm.js";
import { echo, Origin } from "../support/origin.js";
import { run } from "../support/processes.js";
import { startWebPages } from "../support/web-pages.js";

const PROGRAM = fileURLToPath(new URL("../../../test/interop/peers/Through.java", import.meta.url));
const ECHOED = 3_000_000;

test("Java", async (t) => {
  const { realm, proxy, forwarder } = await forwardedRealm(t);
  const pages = await startWebPages(t, realm.dir);
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const page = `${pages.octets} ${pages.sha256}`;
  const [http, https] = pages.urls;
  const [httpAt, httpsAt] = pages.destinations;
  const { port } = forwarder;
  // Their defaults keep what is on this machine from every proxy.
  const everything = ["-DsocksNonProxyHosts=", "-Dhttp.nonProxyHosts="];
  const socks = [...everything, "-DsocksProxyHost=127.0.0.1", `-DsocksProxyPort=${port}`];
  const byHttp = ["http", "https"].flatMap((scheme) => [
    `-D${scheme}.proxyHost=127.0.0.1`,
    `-D${scheme}.proxyPort=${port}`,
  ]);

  await run("javac", ["-d", realm.dir, PROGRAM], { timeoutMs: 60_000 });
  async function java(properties: readonly string[], urls: readonly string[]): Promise<string[]> {
    // For what runs a second.
    const quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
    const args = [...quick, ...properties, "-cp", realm.dir, "Through", pages.authority, ...urls];
    const { stdout } = await run("java", args, { env: { HOME: realm.dir, JAVA_TOOL_OPTIONS: undefined } });
    return stdout.trim().split("\n");
  }

  await t.test("by SOCKS5", async () => {
    const isNew = proxy.later();
    const sums = await java(socks, [http, https, `echo:localhost:${origin.port}`]);
    assert.deepEqual(sums.slice(0, 2), [page, page]);
    assert.match(sums[2] as string, new RegExp(`^${ECHOED} `));
    // For URLs Java looks names up by itself.
    for (const at of [httpAt, httpsAt])
      await assertSealed(proxy, at.replace("localhost", "127.0.0.1"), isNew);
    await assertSealed(proxy, `localhost:${origin.port}`, isNew);
  });

  await t.test("by SOCKS4", async () => {
    const isNew = proxy.later();
    // It has no names.
    const sums = await java([...socks, "-DsocksProxyVersion=4"], [`echo:127.0.0.1:${origin.port}`]);
    assert.match(sums[0] as string, new RegExp(`^${ECHOED} `));
    await assertSealed(proxy, `127.0.0.1:${origin.port}`, isNew);
  });

  await t.test("by HTTP", async () => {
    const isNew = proxy.later();
    assert.deepEqual(await java([...everything, ...byHttp], [http, https]), [page, page]);
    for (const at of [httpAt, httpsAt]) await assertSealed(proxy, at, isNew);
  });

  await t.test("java.net.http", async () => {
    const isNew = proxy.later();
    assert.deepEqual(await java([`-Dclient=127.0.0.1:${port}`], [http, https]), [page, page]);
    for (const at of [httpAt, httpsAt]) await assertSealed(proxy, at, isNew);
  });
});
