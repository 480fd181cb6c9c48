/**
 * What is tested: SOCKS inside TLS (1.2 and 1.3), over a real KDC where GSS-API is inside it: our client with an
 * authority, a pin, a wrong one of either; channel bindings of both types, required and missing, and differing ones;
 * client certificates as the identity; renewal of the certificate while a session goes on; half-close; a reset;
 * handshakes that fail or stall.
 */
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { copyFile, readFile, rename } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { type ConnectOptions, connect } from "../../src/index.js";
import { type Certificate, makeAuthority, makeCertificate } from "../support/certificates.js";
import { echo, hashSink, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import type { Realm } from "../support/realm.js";

const SERVER = "DNS:localhost,IP:127.0.0.1";
const REQUEST = (port: number) => Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff]);

test("SOCKS inside TLS", async (t) => {
  let authority!: Certificate;
  const config = async (realm: Realm) => {
    authority = await makeAuthority(realm.dir);
    const server = await makeCertificate(realm.dir, "server", SERVER, authority);
    const clients = { ...server, clientAuthorities: authority.certificate };
    const listener = (tls: object, rest: object = {}) => ({ address: "127.0.0.1:0", tls, ...rest });
    return {
      timeouts: { handshake: "2s" },
      listeners: [
        listener(server),
        listener({
          ...server,
          minVersion: "TLSv1.3",
          channelBindings: { type: "tls-exporter", required: true },
        }),
        listener({ ...server, channelBindings: { required: true } }),
        listener(clients, { methods: ["certificate", "gssapi"] }),
        listener(
          { ...clients, clientCertificate: "required", clientIdentity: "email" },
          { methods: ["certificate"] },
        ),
        listener(server, { methods: ["none"] }),
      ],
    };
  };
  const { realm, proxy } = await proxiedRealm(t, config);
  const [plain, exporter, endPoint, certificates, emails, none] = proxy.ports as number[] as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const ca = await readFile(authority.certificate);

  async function talk(port: number, tls: ConnectOptions["tls"], host = "localhost"): Promise<string> {
    const stream = await connect({
      proxy: { host, port },
      destination: { host: "127.0.0.1", port: origin.port },
      tls,
    });
    stream.end("through TLS");
    return Buffer.concat(await stream.toArray()).toString();
  }

  await t.test("GSS-API inside it, at level confidentiality", async () => {
    assert.equal(await talk(plain, { ca }), "through TLS");
    const record = await proxy.audit(({ listener }) => listener === `127.0.0.1:${plain}`);
    assert.deepEqual(
      [record.principal, record.method, record.level, record.outcome, record.bytesUp, record.bytesDown],
      ["alice@EXAMPLE.TEST", "gssapi", "confidentiality", "completed", 11, 11],
    );
  });

  await t.test("a pinned key, and an address in place of the name", async () => {
    const { publicKey } = new X509Certificate(await readFile(`${realm.dir}/server.pem`));
    const pin = createHash("sha256")
      .update(publicKey.export({ type: "spki", format: "der" }))
      .digest("base64");
    assert.equal(await talk(plain, { ca, pin: `sha256//${pin}` }, "127.0.0.1"), "through TLS");
    await assert.rejects(talk(plain, { ca, pin: pin.replace(/^./, (c) => (c === "A" ? "B" : "A")) }), {
      code: "PIN_MISMATCH",
    });
  });

  await t.test("an authority that is not the proxy's, and a name it does not bear", async () => {
    const other = await makeAuthority(realm.dir, "other");
    await assert.rejects(talk(plain, { ca: await readFile(other.certificate) }), {
      code: "TLS_FAILED",
      message: /localhost/,
    });
    await assert.rejects(talk(plain, { ca, servername: "proxy.example.test" }), {
      code: "TLS_FAILED",
      message: /proxy\.example\.test/,
    });
    const line = await proxy.waitForLog(
      ({ step, msg }) => msg === "session failed" && step === "TLS handshake",
    );
    assert.equal(line.code, "TLS_HANDSHAKE");
  });

  async function assertAudited(port: number, channelBindings: string): Promise<void> {
    const record = await proxy.audit((each) => each.listener === `127.0.0.1:${port}`);
    assert.deepEqual(
      [record.channelBindings, record.targetName],
      [channelBindings, "rcmd/localhost@EXAMPLE.TEST"],
    );
    assert.ok((record.phases as { tls: number }).tls > 0);
  }

  await t.test("channel bindings: tls-exporter", async () => {
    assert.equal(await talk(exporter, { ca, channelBindings: "tls-exporter" }), "through TLS");
    await assertAudited(exporter, "tls-exporter");
    await assert.rejects(talk(exporter, { ca }), { code: "AUTHENTICATION_REFUSED" });
    const line = await failure(proxy, exporter);
    assert.match(String(line.reason), /channel bindings/i);
  });

  await t.test("channel bindings: tls-server-end-point, required and missing", async () => {
    assert.equal(await talk(endPoint, { ca, channelBindings: "tls-server-end-point" }), "through TLS");
    await assertAudited(endPoint, "tls-server-end-point");
    // A TLS tunnel that somebody else made, as by stunnel: nothing in it is bound.
    const tunnel = await Origin.start((socket) => {
      const inner = connectTls({ port: endPoint, host: "127.0.0.1", ca, servername: "localhost" });
      socket.pipe(inner).pipe(socket);
      inner.on("error", () => socket.destroy());
    });
    t.after(() => tunnel.stop());
    await assert.rejects(talk(tunnel.port, undefined), { code: "AUTHENTICATION_REFUSED" });
    assert.equal((await failure(proxy, endPoint)).code, "CHANNEL_BINDINGS_MISSING");
  });

  async function speak(port: number, user?: { certificate: string; key: string }): Promise<TLSSocket> {
    const files = user && { cert: await readFile(user.certificate), key: await readFile(user.key) };
    const socket = connectTls({ port, host: "127.0.0.1", ca, servername: "localhost", ...files });
    await once(socket, "secureConnect");
    return socket;
  }

  await t.test("a client certificate says who it is", async () => {
    const user = await makeCertificate(realm.dir, "user", "", authority, "/O=Example/CN=alice");
    const socket = await speak(certificates, user);
    socket.end(Buffer.concat([REQUEST(origin.port), Buffer.from("certified")]));
    const octets = Buffer.concat(await socket.toArray());
    assert.equal(octets.subarray(12).toString(), "certified");
    const record = await proxy.audit(({ listener }) => listener === `127.0.0.1:${certificates}`);
    assert.deepEqual(
      [record.principal, record.method, record.outcome],
      ["CN=alice, O=Example", "certificate", "completed"],
    );
  });

  await t.test("without one the method is not there", async () => {
    const socket = await speak(certificates);
    socket.end(REQUEST(origin.port));
    assert.equal(Buffer.concat(await socket.toArray()).toString("hex"), "05ff");
    assert.equal(await talk(certificates, { ca }), "through TLS");
  });

  await t.test("a session that is resumed is worth what its first was", async () => {
    const trusted = await makeCertificate(realm.dir, "resuming", "", authority, "/CN=carol");
    const foreign = await makeAuthority(realm.dir, "foreign");
    const impostor = await makeCertificate(realm.dir, "impostor", "", foreign, "/CN=carol");
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      for (const [user, answer] of [
        [undefined, "05ff"],
        [impostor, "05ff"],
        [trusted, "0500"],
      ] as const) {
        const files = user && { cert: await readFile(user.certificate), key: await readFile(user.key) };
        const ask = async (session?: Buffer): Promise<Buffer> => {
          const options = {
            ...files,
            ca,
            session,
            minVersion: version,
            maxVersion: version,
            host: "127.0.0.1",
          };
          const socket = connectTls({ ...options, port: certificates, servername: "localhost" });
          const given = once(socket, "session");
          await once(socket, "secureConnect");
          assert.equal(socket.isSessionReused(), session !== undefined);
          socket.write(Buffer.from([5, 1, 0]));
          const [octets] = await once(socket, "data");
          assert.equal(octets.toString("hex"), answer);
          const [next] = session === undefined ? await given : [Buffer.alloc(0)];
          socket.destroy();
          return next;
        };
        await ask(await ask());
      }
    }
  });

  await t.test("a required certificate, and an email address in it", async () => {
    const user = await makeCertificate(
      realm.dir,
      "bob",
      "email:bob@example.test,DNS:bob.example.test",
      authority,
    );
    const socket = await speak(emails, user);
    socket.end(Buffer.concat([REQUEST(origin.port), Buffer.from("x")]));
    await socket.toArray();
    const record = await proxy.audit(
      ({ listener, principal }) => listener === `127.0.0.1:${emails}` && principal !== null,
    );
    assert.equal(record.principal, "bob@example.test");
    const other = await makeAuthority(realm.dir, "stranger");
    for (const [files, reason] of [
      [undefined, /did not return a certificate/],
      [await makeCertificate(realm.dir, "eve", "", other), /none of tls\.clientAuthorities/],
    ] as const) {
      const refused = await speak(emails, files);
      const { localAddress, localPort } = refused;
      refused.write(REQUEST(origin.port));
      assert.equal(
        await refused.toArray().then(
          (octets) => octets.length,
          () => 0,
        ),
        0,
      );
      const failed = await proxy.audit(({ client }) => client === `${localAddress}:${localPort}`);
      assert.match(String(failed.reason), reason);
    }
  });

  await t.test("a renewed certificate is used, and the session that is open goes on", async () => {
    const open = await speak(none);
    const before = open.getPeerCertificate().fingerprint256;
    open.write(REQUEST(origin.port));
    await once(open, "data");
    const renewed = await makeCertificate(realm.dir, "renewed", SERVER, authority);
    await replace(renewed, realm.dir);
    await proxy.waitForLog(
      ({ msg, listener }) => msg === "certificate renewed" && listener === `127.0.0.1:${none}`,
    );
    const second = await speak(none);
    const after = second.getPeerCertificate().fingerprint256;
    second.destroy();
    assert.notEqual(after, before);
    const { fingerprint256 } = new X509Certificate(await readFile(renewed.certificate));
    assert.equal(after, fingerprint256);
    open.end("still here");
    assert.match(Buffer.concat(await open.toArray()).toString("latin1"), /still here$/);
    assert.equal(await talk(endPoint, { ca }), "through TLS", "bindings follow the certificate");
  });

  await t.test("half-close, and 20 MB of answer after it", async () => {
    const sink = await Origin.start(hashSink);
    t.after(() => sink.stop());
    const body = Buffer.alloc(20 << 20, "tls");
    const stream = await connect({
      proxy: { host: "localhost", port: plain },
      destination: { host: "127.0.0.1", port: sink.port },
      tls: { ca },
    });
    stream.end(body);
    const answer = Buffer.concat(await stream.toArray()).toString();
    assert.equal(answer, createHash("sha256").update(body).digest("hex"));
  });

  await t.test("a destination that resets makes no end", async () => {
    const breaker = await Origin.start((socket) => {
      socket.once("data", () => socket.resetAndDestroy());
    });
    t.after(() => breaker.stop());
    const stream = await connect({
      proxy: { host: "localhost", port: plain },
      destination: { host: "127.0.0.1", port: breaker.port },
      tls: { ca },
    });
    stream.write("x");
    await assert.rejects(stream.toArray(), { code: "CONNECTION_LOST" });
  });

  await t.test("no TLS, and a handshake that stalls", async () => {
    const clear = connectTcp({ port: plain, host: "127.0.0.1" });
    clear.write(Buffer.from([5, 1, 1]));
    await new Promise((resolve) => clear.on("error", () => {}).once("close", resolve));
    const stalled = connectTcp({ port: plain, host: "127.0.0.1" });
    stalled.write(Buffer.from([0x16, 0x03, 0x01]));
    stalled.on("error", () => {});
    const line = await proxy.waitForLog(
      ({ code, step }) => code === "HANDSHAKE_TIMEOUT" && step === "TLS handshake",
    );
    assert.match(String(line.reason), /took longer than 2 s/);
    stalled.destroy();
  });
});

function failure(proxy: ProxyServer, port: number) {
  return proxy.audit(({ listener, outcome }) => listener === `127.0.0.1:${port}` && outcome !== "completed");
}

/** As certbot and the like do it: each file by a rename. */
async function replace(renewed: { certificate: string; key: string }, directory: string): Promise<void> {
  for (const [from, to] of [
    [renewed.key, "server.key"],
    [renewed.certificate, "server.pem"],
  ] as const) {
    await copyFile(from, `${directory}/${to}.new`);
    await rename(`${directory}/${to}.new`, `${directory}/${to}`);
  }
}
