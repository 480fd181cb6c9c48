// Node's HTTP stacks by our agents: requests over http and https go through the proxy, connections are pooled and TLS
// sessions resumed by Node itself; TLS proves the destination's name; what goes wrong is the request's error, with our
// type and code; a request that is given up takes its connection along.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientRequest, createServer, get, type IncomingMessage, request } from "node:http";
import { createServer as createTlsServer, get as getTls } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { type TestContext, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { HttpAgent, HttpsAgent, NetworkError, PolicyError, ProxySocket } from "../../src/index.js";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";

async function listen<S extends Server>(context: TestContext, server: S): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function answer(sent: ClientRequest): Promise<string> {
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return Buffer.concat(await response.toArray()).toString();
}

async function failure(sent: ClientRequest): Promise<Error & { code?: string }> {
  const [error] = (await once(sent, "error")) as [Error];
  return error;
}

test("http: one connection for several requests, then requests side by side", async (context) => {
  const { proxy } = await proxiedRealm(context);
  const origin = createServer(async (sent, response) => {
    response.end(`${sent.socket.remotePort} ${sent.url} ${Buffer.concat(await sent.toArray())}`);
  });
  const port = await listen(context, origin);
  const agent = new HttpAgent({ proxy: { host: "localhost", port: proxy.port } }, { keepAlive: true });

  const [first] = (await answer(get({ host: "localhost", port, path: "/1", agent }))).split(" ");
  const post = request({ host: "localhost", port, path: "/2", method: "POST", agent });
  post.end("x".repeat(300_000));
  assert.equal(await answer(post), `${first} /2 ${"x".repeat(300_000)}`);
  assert.equal(post.reusedSocket, true);
  assert.ok(post.socket instanceof ProxySocket);
  assert.equal(post.socket.session?.level, "confidentiality");
  assert.equal(post.socket.remotePort, port);
  assert.equal(post.socket.localPort, Number(first), "the destination's view of its peer");

  const answers = await Promise.all(
    [..."abc"].map((path) => answer(get({ host: "localhost", port, path: `/${path}`, agent }))),
  );
  assert.equal(new Set(answers.map((text) => text.split(" ")[0])).size, 3);
  agent.destroy();
});

test("https: TLS with the destination, whose name is proved, and which is resumed", async (context) => {
  const { realm, proxy } = await proxiedRealm(context);
  const authority = await makeAuthority(realm.dir);
  const made = await makeCertificate(realm.dir, "origin", "DNS:localhost", authority);
  const [cert, key, ca] = [made.certificate, made.key, authority.certificate].map((file) =>
    readFileSync(file),
  );
  const names: unknown[] = [];
  const tls = {
    cert,
    key,
    SNICallback: (name: string, done: (error: null) => void) => {
      names.push(name);
      done(null);
    },
  };
  const origin = createTlsServer(tls, (sent, response) => {
    response
      .setHeader("connection", "close")
      .end(`${sent.url} ${(sent.socket as TLSSocket).isSessionReused()}`);
  });
  const port = await listen(context, origin);
  const agent = new HttpsAgent({ proxy: { host: "localhost", port: proxy.port } }, { ca: ca as Buffer });

  const sent = getTls({ host: "localhost", port, path: "/", agent });
  assert.equal(await answer(sent), "/ false");
  assert.equal((sent.socket as TLSSocket).authorized, true);
  assert.deepEqual(names, ["localhost"]);
  assert.equal(await answer(getTls({ host: "localhost", port, path: "/again", agent })), "/again true");

  const wrong = await failure(getTls({ host: "127.0.0.1", port, agent }));
  assert.equal(wrong.code, "ERR_TLS_CERT_ALTNAME_INVALID");
  const unknown = new HttpsAgent({ proxy: { host: "localhost", port: proxy.port } });
  assert.equal(
    (await failure(getTls({ host: "localhost", port, agent: unknown }))).code,
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  );
});

test("errors reach the request as they are", async (context) => {
  const { proxy } = await proxiedRealm(context, { rules: [{ allow: { to: ["127.0.0.1"] } }] });
  const at = { host: "localhost", port: proxy.port };
  const closed = await Origin.start(() => {});
  const { port } = closed;
  await closed.stop();
  for (const [agent, send] of [
    [new HttpAgent({ proxy: at }), get],
    [new HttpsAgent({ proxy: at }), getTls],
  ] as const) {
    const denied = await failure(send({ host: "192.0.2.1", agent }));
    assert.ok(denied instanceof PolicyError, String(denied));
    assert.equal(denied.code, "RULE_DENIED");
    const refused = await failure(send({ host: "127.0.0.1", port: 1, agent }));
    assert.ok(refused instanceof NetworkError, String(refused));
    assert.equal(refused.code, "DESTINATION_REFUSED");
  }
  const nobody = await failure(
    get({ host: "127.0.0.1", agent: new HttpAgent({ proxy: { host: "127.0.0.1", port } }) }),
  );
  assert.equal(nobody.code, "PROXY_UNREACHABLE");
});

test("a request that is given up while its connection is made gives that up", async (context) => {
  const proxy = await Origin.start((socket) => socket.resume().on("end", () => socket.destroy()));
  context.after(() => proxy.stop());
  const at = { host: "127.0.0.1", port: proxy.port };
  for (const [agent, send] of [
    [new HttpAgent({ proxy: at }), get],
    [new HttpsAgent({ proxy: at }), getTls],
  ] as const) {
    const controller = new AbortController();
    const sent = send({ host: "127.0.0.1", agent, signal: controller.signal });
    const gone = once(await proxy.next(), "close");
    controller.abort();
    assert.equal((await failure(sent)).code, "ABORT_ERR");
    await gone;

    const destroyed = send({ host: "127.0.0.1", agent });
    const goneToo = once(await proxy.next(), "close");
    destroyed.on("error", () => {}).destroy();
    await goneToo;

    const late = send({ host: "127.0.0.1", agent, timeout: 50 });
    const goneAsWell = once(await proxy.next(), "close");
    late.on("error", () => {}).on("timeout", () => late.destroy());
    await goneAsWell;
  }
});
