// The programs of examples/, each run as it stands, in a realm of its own with a real KDC, a real proxy and real servers.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { startDnsServer } from "../support/dns-server.js";
import { echo, Origin } from "../support/origin.js";
import { run, runToEnd, start } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { DATABASE_USER, startPostgres } from "../support/real-servers.js";

const EXAMPLES = fileURLToPath(new URL("../../../examples/", import.meta.url));
const tried = new Set<string>();

function example(name: string): string {
  tried.add(name);
  return path.join(EXAMPLES, name);
}

async function listen(context: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("the examples", async (context) => {
  const { realm, proxy } = await proxiedRealm(context, {}, { services: ["HTTP/localhost"] });
  await realm.addPrincipal("carol", "carol-password");
  const authority = await makeAuthority(realm.dir);
  const certificate = await makeCertificate(realm.dir, "server", "DNS:localhost", authority);
  const node = (name: string, args: readonly string[], env = {}) =>
    run(process.execPath, [example(name), ...args], { env: { ...realm.env, ...env } });

  await context.test("connect.mjs", async (context) => {
    const origin = await Origin.start(echo);
    context.after(() => origin.stop());
    const options = { env: realm.env, input: "to and fro" };
    const args = [proxy.address, `127.0.0.1:${origin.port}`];
    const { stdout, stderr } = await run(process.execPath, [example("connect.mjs"), ...args], options);
    assert.equal(stdout, "to and fro");
    assert.match(stderr, /^alice@EXAMPLE\.TEST to rcmd\/localhost@EXAMPLE\.TEST, level confidentiality$/m);
    const denied = await runToEnd(
      process.execPath,
      [example("connect.mjs"), proxy.address, "192.0.2.1:1"],
      options,
    );
    assert.deepEqual([denied.code, /RULE_DENIED/.test(denied.stderr)], [1, true]);
  });

  await context.test("fetch.mjs", async (context) => {
    const port = await listen(
      context,
      createServer((sent, response) => void response.end(`page ${sent.url}`)),
    );
    const { stdout } = await node("fetch.mjs", [
      proxy.address,
      `http://localhost:${port}/1`,
      `http://localhost:${port}/2`,
    ]);
    assert.equal(stdout, "200 page /1\n200 page /2\n");
  });

  await context.test("https-agent.mjs", async (context) => {
    const tls = { cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) };
    const port = await listen(
      context,
      createTlsServer(tls, (sent, response) => void response.end(`page ${sent.url}`)),
    );
    const urls = [`https://localhost:${port}/1`, `https://localhost:${port}/2`];
    const { stdout } = await node("https-agent.mjs", [proxy.address, ...urls], {
      NODE_EXTRA_CA_CERTS: authority.certificate,
    });
    assert.equal(stdout, "200 false page /1\n200 true page /2\n");
  });

  await context.test("pg.mjs", async (context) => {
    const server = await startPostgres(context, certificate);
    const { stdout } = await node("pg.mjs", [proxy.address, "SELECT 6 * 7 AS answer"], {
      PGHOST: "localhost",
      PGPORT: String(server.port),
      PGUSER: DATABASE_USER.user,
      PGPASSWORD: DATABASE_USER.password,
      PGDATABASE: "postgres",
    });
    assert.equal(stdout, '[{"answer":42}]\n');
  });

  await context.test("server.mjs", async (context) => {
    const origin = await Origin.start(echo);
    context.after(() => origin.stop());
    const env = { ...realm.env, DATABASE_PORT: String(origin.port) };
    const server = await start(process.execPath, [example("server.mjs"), realm.keytab], {
      env,
      test: context,
    });
    const [, port] = await server.waitForLine(/^listening 127\.0\.0\.1:(\d+)$/);
    const through = (to: number, principal: string) =>
      start(process.execPath, [example("connect.mjs"), `localhost:${port}`, `127.0.0.1:${to}`], {
        env: { ...realm.env, KRB5CCNAME: `FILE:${path.join(realm.dir, principal)}` },
        test: context,
      });
    for (const user of ["alice", "bob"])
      await realm.kinit(user, { ccache: `FILE:${path.join(realm.dir, user)}` });

    const first = await through(origin.port, "alice");
    await first.waitForLine(/level confidentiality/);
    const second = await through(origin.port, "alice");
    assert.equal((await second.exited).code, 1);
    await server.waitForLine(/^alice@EXAMPLE\.TEST \S+ denied .*one session at a time$/);
    const bob = await through(origin.port, "bob");
    assert.equal((await bob.exited).code, 1);
    await server.waitForLine(/^bob@EXAMPLE\.TEST \S+ denied .*not a member of the database's people$/);
    first.stdin.end("there and back");
    assert.equal((await first.exited).code, 0);
    assert.equal(first.stdout(), "there and back");
    await server.waitForLine(/^alice@EXAMPLE\.TEST \S+ completed /);
    assert.equal((await server.stop()).code, 0);
  });

  await context.test("negotiate-server.mjs and negotiate-client.mjs", async (context) => {
    const options = { env: realm.env, test: context };
    const server = await start(process.execPath, [example("negotiate-server.mjs"), realm.keytab], options);
    const [, port] = await server.waitForLine(/^listening (\d+)$/);
    const url = `http://localhost:${port}/`;
    const { stdout } = await node("negotiate-client.mjs", [url]);
    assert.equal(stdout, "200 HTTP/localhost@EXAMPLE.TEST Hello alice@EXAMPLE.TEST\n\n");
    // A client that others wrote.
    const curl = await run("curl", ["-sS", "--negotiate", "-u", ":", url], { env: realm.env });
    assert.equal(curl.stdout, "Hello alice@EXAMPLE.TEST\n");
    const bare = await run("curl", ["-sS", "-o", "/dev/null", "-w", "%{http_code}", url]);
    assert.equal(bare.stdout, "401");
    const forged = ["-H", "Authorization: Negotiate YIIBAAAA", "-w", "%{http_code}", url];
    assert.equal((await run("curl", ["-sS", ...forged])).stdout, "403");
    assert.equal((await server.stop()).code, 0);
  });

  await context.test("udp-dns.mjs", async (context) => {
    const dns = await startDnsServer(context, ["host-record=db.example.test,192.0.2.53"]);
    const { stdout } = await node("udp-dns.mjs", [
      proxy.address,
      `${dns.address}:${dns.port}`,
      "db.example.test",
    ]);
    assert.equal(stdout, "192.0.2.53\n");
  });

  assert.deepEqual([...tried].toSorted(), readdirSync(EXAMPLES).toSorted(), "every example is run here");
});
