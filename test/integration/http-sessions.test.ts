/**
 * What is tested: sessions of HTTP clients as an administrator has them: what is told of one, killed in each step, ended by
 * rules that changed; a kept connection does not outlive a reload and does not keep the server from stopping; limits count
 * requests, and connections for as long as they are open; a deadline while it is dialed (504).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { controlled } from "../support/controlled.js";
import { HttpOrigin } from "../support/http-origin.js";
import { HttpWire } from "../support/http-wire.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";

const LISTENERS = [{ address: "127.0.0.1:0", methods: ["none"], http: true }];

test("sessions of HTTP clients", async (t) => {
  const server = await controlled(t, { listeners: LISTENERS });
  const { proxy } = server;
  const tcp = await Origin.start(echo);
  const origin = await HttpOrigin.start(t, ({ url }, response) => {
    response.write("begun");
    if (url !== "/endless") response.end();
  });
  const dialed = await UnacceptingOrigin.start();
  t.after(() => Promise.all([tcp.stop(), dialed.stop()]));
  const get = (path: string, port = origin.port) => [
    `GET http://127.0.0.1:${port}${path} HTTP/1.1`,
    "Host: a",
  ];

  const tunnel = await HttpWire.connect(proxy.port);
  tunnel.send([`CONNECT 127.0.0.1:${tcp.port} HTTP/1.1`]);
  assert.equal((await tunnel.receive(true)).status, 200);
  const endless = await HttpWire.connect(proxy.port);
  endless.send(get("/endless"));
  const dialing = await HttpWire.connect(proxy.port);
  dialing.send(get("/", dialed.port));
  const silent = await HttpWire.connect(proxy.port);
  silent.write("GET ");
  const kept = await HttpWire.connect(proxy.port);
  assert.equal((await kept.ask(get("/"))).body, "begun");

  await t.test("what is told of them", async () => {
    const told = async ({ client }: HttpWire, state: string) => {
      const { command, destination } = await server.session(client.address, (each) => each.state === state);
      return [command, destination];
    };
    assert.deepEqual(await told(tunnel, "relay"), ["connect", `127.0.0.1:${tcp.port}`]);
    assert.deepEqual(await told(endless, "relay"), ["connect", `127.0.0.1:${origin.port}`]);
    assert.deepEqual(await told(dialing, "request"), ["connect", `127.0.0.1:${dialed.port}`]);
    assert.deepEqual(await told(silent, "handshake"), [null, null]);
    const sessions = await server.sessions();
    assert.equal(sessions.length, 4, "between two requests there is no session");
  });

  await t.test("killed in each step", async () => {
    const isOver = async ({ client }: HttpWire) => {
      const record = await proxy.audit((each) => each.client === client.address && each.code !== null);
      assert.equal(record.code, "KILLED");
    };
    const all = [tunnel, endless, dialing, silent];
    const ids = await Promise.all(
      all.map(async ({ client }) => (await server.session(client.address)).session),
    );
    const { code, stderr } = await server.run("kill", ...ids);
    assert.equal(code, 0, stderr);
    const { status, body } = await dialing.receive();
    assert.equal(status, 503);
    assert.match(body, /\nKILLED/);
    await Promise.all(all.map(isOver));
    await Promise.all(all.map(({ client }) => client.farewell()));
  });

  await t.test("a reload: a kept connection is closed, what the rules deny now is ended", async () => {
    const before = await HttpWire.connect(proxy.port);
    before.send([`CONNECT 127.0.0.1:${tcp.port} HTTP/1.1`]);
    assert.equal((await before.receive(true)).status, 200);
    const { ended } = await server.reload({ rules: [{ allow: { to: ["127.0.0.2"] } }] });
    assert.equal(ended, 1);
    await before.client.farewell();
    const record = await proxy.audit((each) => each.client === before.client.address);
    assert.equal(record.code, "RULES_CHANGED");
    assert.equal((await kept.client.farewell()).how, "end");
    const after = await HttpWire.connect(proxy.port);
    assert.equal((await after.ask(get("/"))).status, 403);
    after.client.socket.end();
  });
});

test("a kept connection does not keep the server", async (t) => {
  const { proxy } = await proxiedRealm(t, {
    listeners: LISTENERS,
    timeouts: { drain: "60s", handshake: "60s" },
  });
  const origin = await HttpOrigin.start(t);
  const wire = await HttpWire.connect(proxy.port);
  await wire.ask([`GET http://127.0.0.1:${origin.port}/ HTTP/1.1`, "Host: a"]);
  proxy.signal("SIGTERM");
  assert.equal((await wire.client.farewell()).how, "end");
  assert.equal((await proxy.exited).code, 0);
});

test("a destination that does not answer in time", async (t) => {
  const { proxy } = await proxiedRealm(t, { listeners: LISTENERS, timeouts: { connect: "1s" } });
  const dialed = await UnacceptingOrigin.start();
  t.after(() => dialed.stop());
  const wire = await HttpWire.connect(proxy.port);
  const { status, body } = await wire.ask([`GET http://127.0.0.1:${dialed.port}/ HTTP/1.1`, "Host: a"]);
  assert.equal(status, 504);
  assert.match(body, /\n(?:CONNECT|DIAL)_TIMEOUT: /);
  wire.client.socket.end();
  await wire.client.farewell();
});

test("a connection has its place while it is open, and every request counts", async (t) => {
  const limits = { sessions: 3, perSource: { sessionsPerMinute: 12 } };
  const { proxy } = await proxiedRealm(t, { listeners: LISTENERS, limits });
  const origin = await HttpOrigin.start(t);
  const get = [`GET http://127.0.0.1:${origin.port}/ HTTP/1.1`, "Host: a"];
  const wires = await Promise.all([1, 2, 3].map(() => HttpWire.connect(proxy.port)));
  for (const wire of wires) assert.equal((await wire.ask(get)).status, 200);
  // The reset may be quicker than the connection.
  const fourth = await HttpWire.connect(proxy.port).catch((error: NodeJS.ErrnoException) => error.code);
  const how = fourth instanceof HttpWire ? (await fourth.client.farewell()).how : fourth;
  assert.match(String(how), /reset/i);
  await proxy.waitForLog(({ msg, limit }) => msg === "connection refused" && limit === "limits.sessions");
  const [first] = wires as [HttpWire];
  const statuses: number[] = [];
  for (let each = 0; each < 10; each += 1) statuses.push((await first.ask(get)).status);
  assert.deepEqual(statuses, [...Array(9).fill(200), 503]);
  assert.equal((await first.client.farewell()).how, "end");
  for (const wire of wires) wire.client.socket.destroy();
});
