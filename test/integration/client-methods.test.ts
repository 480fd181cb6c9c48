/**
 * What is tested: our client by every method it can offer. CONNECT, UDP ASSOCIATE and BIND through a server process, by
 * GSS-API, by a password and without authentication; which of several is chosen; the proxy's name in full. Nothing but
 * what was offered is gone through with, and a wrong password is told as what it is.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { type TestContext, test } from "node:test";
import {
  bind,
  type ClientMethod,
  connect,
  type ProxyBinding,
  type ProxyOptions,
  udpAssociate,
} from "../../src/index.js";
import { formatEndpoint } from "../../src/protocol/address.js";
import { CAROL } from "../support/command-client.js";
import { echo, Origin } from "../support/origin.js";
import { assertSilent } from "../support/password-client.js";
import { usersFile } from "../support/passwords.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { LogLine } from "../support/proxy.js";
import { Peer } from "../unit/relay/datagram-peers.js";

const METHODS: readonly ClientMethod[] = ["gssapi", "password", "none"];
const PASSWORD = { username: CAROL.name, password: CAROL.password };
const PRINCIPALS = { gssapi: "alice@EXAMPLE.TEST", password: "carol", none: null } as const;

test("our client by every method", async (t) => {
  const { proxy } = await proxiedRealm(t, async ({ dir }) => ({
    listeners: [
      { address: "127.0.0.1:0", methods: METHODS },
      ...METHODS.map((method) => ({ address: "127.0.0.1:0", methods: [method] })),
    ],
    passwords: { file: await usersFile(dir) },
    rules: [{ allow: { to: ["127.0.0.0/8", "localhost"] } }],
    timeouts: { bind: "2s" },
  }));
  const [all, ...each] = proxy.ports as [number, number, number, number];
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const destination = { host: "127.0.0.1", port: origin.port };
  /** By this method alone, to the listener that takes all of them. */
  const by = (method: ClientMethod): ProxyOptions => ({
    proxy: { host: "localhost", port: all },
    methods: [method],
    ...(method === "password" ? PASSWORD : {}),
  });
  const audited = (method: ClientMethod, command: string): Promise<LogLine> =>
    proxy.audit((line) => line.method === method && line.command === command);

  for (const method of METHODS) {
    const level = method === "gssapi" ? "confidentiality" : "none";

    await t.test(`CONNECT, ${method}`, async () => {
      const stream = await connect({ ...by(method), destination });
      const { bnd: _bnd, ...session } = stream.session;
      const gssapi = {
        initiator: "alice@EXAMPLE.TEST",
        acceptor: "rcmd/localhost@EXAMPLE.TEST",
        mechanism: "krb5",
      };
      const without = { initiator: null, acceptor: null, mechanism: null };
      assert.deepEqual(session, { method, level, ...(method === "gssapi" ? gssapi : without) });
      stream.end("hello");
      assert.equal(Buffer.concat(await stream.toArray()).toString(), "hello");
      const record = await audited(method, "connect");
      assert.deepEqual(
        [record.principal, record.bytesUp, record.outcome],
        [PRINCIPALS[method], 5, "completed"],
      );
    });

    await t.test(`UDP ASSOCIATE, ${method}`, async (t) => {
      const peer = await Peer.bind(t);
      const association = await udpAssociate(by(method));
      t.after(() => association.close());
      const answer = once(association, "message");
      association.send(Buffer.from("ping"), { host: "127.0.0.1", port: peer.endpoint.port });
      const { data, from } = await peer.next();
      assert.equal(data.toString(), "ping");
      await peer.send(Buffer.from("pong"), from);
      assert.equal(String((await answer)[0]), "pong");
      association.close();
      assert.equal((await audited(method, "udp-associate")).principal, PRINCIPALS[method]);
    });

    await t.test(`BIND, ${method}: octets that come with the peer, and both ways`, async (t) => {
      const binding = await bind({ ...by(method), peer: { host: "127.0.0.1", port: 0 } });
      const socket = knock(t, binding);
      socket.write("early ");
      const stream = await binding.accepted;
      const { localAddress, localPort } = socket;
      assert.equal(formatEndpoint(stream.session.bnd), `${localAddress}:${localPort}`);
      assert.equal(stream.session.level, level);
      stream.end("to the peer");
      socket.end("late");
      const [came, went] = await Promise.all([stream.toArray(), socket.toArray()]);
      assert.equal(Buffer.concat(came).toString(), "early late");
      assert.equal(Buffer.concat(went).toString(), "to the peer");
      const record = await audited(method, "bind");
      assert.deepEqual([record.outcome, record.address], ["completed", `${localAddress}:${localPort}`]);
      // It is the caller's now.
      binding.close();
    });
  }

  await t.test("the proxy chooses among those that are offered, by its own order", async () => {
    for (const [index, method] of METHODS.entries()) {
      const proxyAt = { host: "localhost", port: each[index] as number };
      const stream = await connect({ proxy: proxyAt, methods: METHODS, ...PASSWORD, destination });
      assert.equal(stream.session.method, method);
      stream.destroy();
    }
    const stream = await connect({ ...by("none"), methods: ["none", "gssapi"], hops: 3, destination });
    assert.equal(
      stream.session.method,
      "gssapi",
      "a hop mark changes nothing for those who do not look for it",
    );
    stream.destroy();
  });

  await t.test("what is not offered is not gone through with; GSS-API alone is by default", async () => {
    for (const [index, method] of METHODS.entries()) {
      const proxyAt = { host: "localhost", port: each[index] as number };
      const offers = method === "gssapi" ? (["password", "none"] as const) : undefined;
      const options = { proxy: proxyAt, ...(offers && { methods: offers }), ...PASSWORD, destination };
      await assert.rejects(connect(options), { name: "PolicyError", code: "NO_ACCEPTABLE_METHOD" });
    }
  });

  await t.test("a wrong password", async () => {
    const secret = "not-carols-password";
    const error = await rejected(connect({ ...by("password"), password: secret, destination }));
    assert.deepEqual([error.name, error.code], ["PeerError", "AUTHENTICATION_REFUSED"]);
    assert.equal(error.message, "the proxy refused our username and password (STATUS 1); its log says why");
    assertSilent(proxy, [secret, CAROL.password]);
  });

  await t.test("what a caller has wrong is told before anything is sent", async () => {
    const nowhere = { proxy: { host: "localhost", port: 1 }, destination };
    const elsewhere = { proxy: { host: "proxy.example.test", port: 1 } };
    const table: [options: Partial<ProxyOptions>, code: string][] = [
      [{ methods: [] }, "BAD_ARGUMENT"],
      [{ methods: ["password"] }, "BAD_ARGUMENT"],
      [{ methods: ["password"], username: "carol", password: "" }, "BAD_PASSWORD"],
      [{ methods: ["password"], username: "carol", password: "x".repeat(256) }, "BAD_PASSWORD"],
      [{ methods: ["password"], username: "", password: "secret" }, "BAD_USERNAME"],
      [{ methods: ["password"], username: "ü".repeat(128), password: "secret" }, "BAD_USERNAME"],
      [{ ...elsewhere, methods: ["password"], ...PASSWORD }, "CLEAR_TEXT_PASSWORD"],
      [{ ...elsewhere, methods: ["gssapi", "password"], ...PASSWORD }, "CLEAR_TEXT_PASSWORD"],
      [{ ...elsewhere, methods: ["password"], protocol: "http", ...PASSWORD }, "CLEAR_TEXT_PASSWORD"],
      [{ hops: 9 }, "LOOP"],
      [{ hops: 0 }, "BAD_ARGUMENT"],
    ];
    for (const [options, code] of table)
      assert.equal((await rejected(connect({ ...nowhere, ...options }))).code, code);
    const bad = { host: "not a name", port: 1 };
    assert.equal((await rejected(connect({ ...nowhere, destination: bad }))).code, "BAD_DOMAIN_NAME");
  });

  await t.test("targetName: the name in full, in either form", async () => {
    const names = {
      "host@localhost": "host/localhost@EXAMPLE.TEST",
      "socks/localhost@EXAMPLE.TEST": "socks/localhost@EXAMPLE.TEST",
      "rcmd/proxy.example.test": "rcmd/proxy.example.test@EXAMPLE.TEST",
    };
    for (const [targetName, acceptor] of Object.entries(names)) {
      const stream = await connect({ ...by("gssapi"), targetName, service: "nobody", destination });
      assert.equal(stream.session.acceptor, acceptor);
      stream.destroy();
    }
    const nobody = connect({
      ...by("gssapi"),
      targetName: "rcmd/nobody.example.test@EXAMPLE.TEST",
      destination,
    });
    await assert.rejects(nobody, { name: "GssError" });
  });

  await t.test("BIND that comes to nothing", async (t) => {
    const peer = { host: "127.0.0.1", port: 0 };
    const open = (options: Partial<Parameters<typeof bind>[0]> = {}) =>
      bind({ ...by("gssapi"), peer, ...options });
    await t.test("closed by the caller", async () => {
      const binding = await open();
      binding.close();
      binding.close();
      await assert.rejects(binding.accepted, { name: "NetworkError", code: "ABORTED" });
      await refused(t, binding);
    });
    await t.test("aborted", async () => {
      const abort = new AbortController();
      const binding = await open({ signal: abort.signal });
      abort.abort();
      await assert.rejects(binding.accepted, { name: "NetworkError", code: "ABORTED" });
      await refused(t, binding);
      await assert.rejects(open({ signal: abort.signal }), { name: "NetworkError" });
    });
    await t.test("too late for the caller", async () => {
      const binding = await open({ peerTimeout: 1 });
      await assert.rejects(binding.accepted, { name: "NetworkError", code: "TIMEOUT" });
    });
    await t.test("too late for the proxy, however short the time for its first reply", async () => {
      const binding = await open({ timeout: 1500 });
      await assert.rejects(binding.accepted, { name: "NetworkError", code: "NOBODY_CONNECTED", rep: 6 });
    });
    await t.test("denied", async () => {
      const anybody = open({ peer: { host: "0.0.0.0", port: 0 } });
      await assert.rejects(anybody, { name: "PolicyError", code: "RULE_DENIED" });
    });
  });
});

function knock(t: TestContext, { bnd }: ProxyBinding) {
  const socket = connectTcp({ ...bnd, allowHalfOpen: true });
  t.after(() => socket.destroy());
  return socket;
}

/** Nobody listens there any more, once the proxy has heard of it. */
async function refused(t: TestContext, binding: ProxyBinding): Promise<void> {
  for (;;) {
    const socket = knock(t, binding);
    const outcome = await new Promise<string>((resolve) => {
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
      socket.once("end", () => resolve("end"));
      socket.resume();
    });
    if (outcome === "ECONNREFUSED") return;
  }
}

async function rejected(promise: Promise<unknown>): Promise<Error & { code: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error("it was fulfilled");
}
