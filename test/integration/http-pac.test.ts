/**
 * What is tested: the auto-configuration that a listener has at /proxy.pac (`pac`): by GET and HEAD, for whoever asks; by no
 * other method, and at no other path. It names the address at which it was asked for, over TLS as such, or what is configured.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { serverOptions } from "../../src/cli/server-options.js";
import { parseConfig } from "../../src/config/load.js";
import { Server } from "../../src/server/server.js";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { HttpWire } from "../support/http-wire.js";
import { scratch } from "../support/identd.js";
import { run } from "../support/processes.js";

async function served(t: TestContext, ...listeners: object[]): Promise<number[]> {
  const common = { address: "127.0.0.1:0", http: true, methods: ["none"] };
  const written = { listeners: listeners.map((each) => ({ ...common, ...each })) };
  const server = new Server(
    serverOptions(parseConfig(JSON.stringify(written), "the test"), () => {}),
    () => {},
  );
  await server.start();
  t.after(() => server.stop(0));
  return server.addresses.map((address) => Number(address.split(":").at(-1)));
}

test("by GET and HEAD, at its own path", async (t) => {
  const [port = 0, without = 0] = await served(t, { pac: {} }, {});
  const wire = await HttpWire.connect(port);
  const get = await wire.ask(["GET /proxy.pac HTTP/1.1", "Host: a"]);
  assert.deepEqual([get.status, get.fields["content-type"]], [200, "application/x-ns-proxy-autoconfig"]);
  const head = await wire.ask(["HEAD /proxy.pac HTTP/1.1", "Host: a"]);
  assert.deepEqual([head.status, head.fields["content-length"]], [200, String(get.body.length)]);
  for (const line of ["POST /proxy.pac", "GET /proxy.pac/", "GET //proxy.pac", "GET /"])
    assert.equal((await wire.ask([`${line} HTTP/1.1`, "Host: a"])).status, 404, line);
  wire.client.socket.end();
  const none = await HttpWire.connect(without);
  assert.equal((await none.ask(["GET /proxy.pac HTTP/1.1", "Host: a"])).status, 404);
  none.client.socket.end();
});

test("where it sends browsers, as pactester reads it", async (t) => {
  const dir = await scratch(t);
  const authority = await makeAuthority(dir);
  const tls = await makeCertificate(dir, "proxy", "IP:127.0.0.1", authority);
  const direct = ["intranet.test", ".example.test", "10.0.0.0/8", "<local>"];
  const proxies = ["HTTPS proxy.example.test:3129", "SOCKS5 [2001:db8::1]:1080"];
  const [own, secured, told] = await served(
    t,
    { pac: { direct } },
    { pac: { direct }, tls },
    { pac: { direct, proxies } },
  );
  for (const [url, through] of [
    [`http://127.0.0.1:${own}`, `PROXY 127.0.0.1:${own}`],
    [`https://127.0.0.1:${secured}`, `HTTPS 127.0.0.1:${secured}`],
    [`http://127.0.0.1:${told}`, proxies.join("; ")],
  ] as const) {
    const ca = ["--cacert", authority.certificate];
    const { stdout } = await run("curl", ["-sSf", "--noproxy", "*", ...ca, `${url}/proxy.pac`]);
    const file = path.join(dir, "proxy.pac");
    await writeFile(file, stdout);
    for (const [asked, expected] of [
      ["http://intranet.test/", "DIRECT"],
      ["https://a.intranet.test/", "DIRECT"],
      ["http://a.example.test:8080/", "DIRECT"],
      ["http://example.test/", through],
      ["http://10.1.2.3/", "DIRECT"],
      ["http://11.1.2.3/", through],
      ["http://wiki/", "DIRECT"],
    ] as const) {
      const { stdout: decided } = await run("pactester", ["-p", file, "-u", asked]);
      assert.equal(decided.trim(), expected, `${url} ${asked}`);
    }
  }
});
