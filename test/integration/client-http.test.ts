/**
 * What is tested: our client through HTTP proxies where a negotiation has more to it than one token: gssocks's own
 * listener, which proves who it is, with Kerberos and with NTLMSSP, which takes two requests on one connection; half-close;
 * hops that are told by Via; and proxies made up for the test, which prove it badly, never come to an end or break off.
 */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { Credential, connect, type ProxyOptions } from "../../src/index.js";
import { ntlmCredential, ntlmUsers, usePlugin } from "../support/ntlmssp.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";

usePlugin();

test("Negotiate with HTTP proxies", async (t) => {
  const { realm, proxy } = await proxiedRealm(
    t,
    async (realm) => {
      await ntlmUsers(realm, { alice: "ntlm-password" });
      return {
        listeners: [{ address: "127.0.0.1:0", methods: ["gssapi"], http: true }],
        gssapi: { mechanisms: ["krb5", "spnego", "ntlmssp"], protectionLevels: ["none"] },
      };
    },
    { services: ["HTTP/localhost"] },
  );
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const destination = { host: "127.0.0.1", port: origin.port };
  const through = (port: number, options: Partial<ProxyOptions> = {}) =>
    connect({ proxy: { host: "localhost", port }, protocol: "http", destination, ...options });

  await t.test("gssocks: both ends know each other, and each direction ends on its own", async () => {
    const stream = await through(proxy.port);
    const { bnd: _bnd, ...session } = stream.session;
    assert.deepEqual(session, {
      method: "gssapi",
      initiator: "alice@EXAMPLE.TEST",
      acceptor: "HTTP/localhost@EXAMPLE.TEST",
      mechanism: "krb5",
      level: "none",
    });
    stream.end("hello");
    assert.equal(Buffer.concat(await stream.toArray()).toString(), "hello");
    const record = await proxy.audit();
    assert.deepEqual(
      [record.principal, record.outcome, record.bytesUp],
      ["alice@EXAMPLE.TEST", "completed", 5],
    );
  });

  await t.test("with a credential for Kerberos alone, without SPNEGO around it", async (t) => {
    const credential = await Credential.initiator({ ccache: await realm.kinit("bob", { ccache: "bobs" }) });
    t.after(() => credential.close());
    const stream = await through(proxy.port, { credential });
    assert.equal(stream.session.initiator, "bob@EXAMPLE.TEST");
    assert.equal(stream.session.acceptor, "HTTP/localhost@EXAMPLE.TEST");
    stream.destroy();
  });

  await t.test("NTLMSSP: two requests, one connection", async (t) => {
    const credential = await ntlmCredential("alice");
    t.after(() => credential.close());
    const mechanism = "1.3.6.1.4.1.311.2.2.10";
    const isNew = proxy.later();
    const stream = await through(proxy.port, { credential, mechanism });
    assert.equal(stream.session.mechanism, "ntlmssp");
    stream.end("hello");
    assert.equal(Buffer.concat(await stream.toArray()).toString(), "hello");
    const record = await proxy.audit(isNew);
    assert.deepEqual([record.principal, record.mechanism], ["DOM\\alice", "ntlmssp"]);
  });

  await t.test("the hops are told, and one too many is a loop", async () => {
    (await through(proxy.port, { hops: 7 })).destroy();
    await assert.rejects(through(proxy.port, { hops: 9 }), { name: "PolicyError", code: "LOOP" });
  });

  await t.test(
    "no ticket for the proxy's name: NTLM, though there is a password for it, does not take its place",
    async () => {
      await assert.rejects(through(proxy.port, { targetName: "HTTP@nobody.example.test" }), {
        name: "GssError",
      });
    },
  );

  const asks = (token: string, more = "Content-Length: 4\r\n") =>
    `HTTP/1.1 407 Go on\r\nProxy-Authenticate: Negotiate ${token}\r\n${more}\r\npage`;
  const table: [name: string, answer: (socket: Socket) => void, code: string][] = [
    [
      "a last token that is none",
      (socket) => socket.write("HTTP/1.1 200 OK\r\nProxy-Authenticate: Negotiate AAAA\r\n\r\n"),
      "NOT_MUTUAL",
    ],
    [
      "the same, as squid would send it",
      (socket) => socket.write("HTTP/1.1 200 OK\r\nProxy-Authentication-Info: Negotiate AAAA\r\n\r\n"),
      "NOT_MUTUAL",
    ],
    ["a token that goes on with nothing", (socket) => socket.write(asks("AAAA")), "BAD_TOKEN"],
    ["no token at all", (socket) => socket.write(asks("")), "AUTHENTICATION_REFUSED"],
    [
      "it closes the connection in the middle",
      (socket) => socket.write(asks("AAAA", "Connection: close\r\n")),
      "BAD_RESPONSE",
    ],
    ["a page without an announced end", (socket) => socket.write(asks("AAAA", "")), "BAD_RESPONSE"],
    [
      "a page that is too long",
      (socket) => socket.write(asks("AAAA", "Content-Length: 99999\r\n")),
      "BAD_RESPONSE",
    ],
    ["a page that never ends", (socket) => socket.write(asks("AAAA", "Content-Length: 9\r\n")), "TIMEOUT"],
    ["a page that ends early", (socket) => socket.end(asks("AAAA", "Content-Length: 9\r\n")), "CLOSED_EARLY"],
    ["more than the page", (socket) => socket.write(asks("AAAA", "Content-Length: 2\r\n")), "BAD_RESPONSE"],
    ["a reset in the middle", (socket) => socket.resetAndDestroy(), "CONNECTION_LOST"],
  ];
  for (const [name, answer, code] of table) {
    await t.test(name, async (t) => {
      const port = await answering(t, answer);
      await assert.rejects(through(port, { timeout: code === "TIMEOUT" ? 500 : 20_000 }), { code });
    });
  }

  await t.test("without proof: taken, and nobody is named", async (t) => {
    const port = await answering(t, (socket) => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    const stream = await through(port);
    const { method, initiator, acceptor } = stream.session;
    assert.deepEqual([method, initiator, acceptor], ["gssapi", "alice@EXAMPLE.TEST", null]);
    stream.destroy();
  });
});

/** @returns the port of a proxy that answers each request so */
async function answering(t: TestContext, answer: (socket: Socket) => void): Promise<number> {
  const proxy = await Origin.start((socket) => {
    let head = "";
    socket.on("data", (octets) => {
      head += octets.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      head = "";
      answer(socket);
    });
  });
  t.after(() => proxy.stop());
  return proxy.port;
}
