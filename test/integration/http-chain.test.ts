/**
 * What is tested: HTTP at a listener whose rule leads to another proxy, over GSS-API at level confidentiality: CONNECT and
 * absolute URIs, bodies of a megabyte both ways and whole, several requests on one connection; what the other proxy refuses
 * or can't reach, and that it saw the ticket of the one in front; a response that breaks off there does so here.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { HttpOrigin } from "../support/http-origin.js";
import { HttpWire } from "../support/http-wire.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { ProxyServer } from "../support/proxy.js";
import { showOnFailure } from "../support/show-on-failure.js";

const BODY = randomBytes(1 << 20);
const sha256 = (octets: Buffer | string) => createHash("sha256").update(octets).digest("hex");

test("HTTP through another proxy", async (t) => {
  const { realm, proxy: second } = await proxiedRealm(t, { rules: [{ allow: { to: ["127.0.0.1"] } }] });
  const entry = await ProxyServer.start(realm, {
    listeners: [{ address: "127.0.0.1:0", methods: ["none"], http: true }],
    upstreams: { second: { proxies: [`localhost:${second.port}`] } },
    rules: [{ allow: { to: ["127.0.0.0/8", "protected"] }, via: "second" }],
  });
  showOnFailure(t, async () => entry.logs());
  t.after(() => entry.stop());
  const origin = await HttpOrigin.start(t, ({ method, body }, response) => {
    if (method === "GET") response.end(BODY);
    else response.end(sha256(Buffer.from(body, "latin1")));
  });
  const url = `http://127.0.0.1:${origin.port}/`;

  await t.test("absolute URIs, one after the other", async () => {
    const wire = await HttpWire.connect(entry.port);
    for (let each = 0; each < 3; each += 1) {
      const got = await wire.ask([`GET ${url} HTTP/1.1`, "Host: a"]);
      assert.equal(sha256(Buffer.from(got.body, "latin1")), sha256(BODY));
      const put = await wire.ask([`PUT ${url} HTTP/1.1`, "Host: a", `Content-Length: ${BODY.length}`], BODY);
      assert.equal(put.body, sha256(BODY));
    }
    wire.client.socket.end();
    await wire.client.farewell();
    const record = await entry.audit(
      ({ client, bytesUp }) => client === wire.client.address && Number(bytesUp) > 1 << 20,
    );
    assert.deepEqual([record.outcome, record.upstream, record.method], ["completed", "second", "none"]);
    const there = await second.audit(({ bytesUp }) => bytesUp === record.bytesUp);
    assert.deepEqual(
      [there.principal, there.level, there.outcome, there.bytesDown],
      ["alice@EXAMPLE.TEST", "confidentiality", "completed", record.bytesDown],
    );
  });

  await t.test("CONNECT", async () => {
    const tcp = await Origin.start(echo);
    t.after(() => tcp.stop());
    const wire = await HttpWire.connect(entry.port);
    wire.send([`CONNECT 127.0.0.1:${tcp.port} HTTP/1.1`], "at once");
    assert.equal((await wire.receive(true)).status, 200);
    assert.equal((await wire.client.read(7)).toString(), "at once");
    wire.client.socket.end(BODY);
    const { octets, how } = await wire.client.farewell();
    assert.deepEqual([sha256(octets), how], [sha256(BODY), "end"]);
  });

  await t.test("what the other refuses, or can't reach", async () => {
    const closed = await Origin.start(() => {});
    const { port } = closed;
    await closed.stop();
    const wire = await HttpWire.connect(entry.port);
    for (const [destination, status] of [
      ["127.0.0.9:80", 403],
      [`127.0.0.1:${port}`, 502],
    ] as const) {
      const answer = await wire.ask([`GET http://${destination}/ HTTP/1.1`, "Host: a"]);
      assert.equal(answer.status, status, answer.body);
    }
    wire.client.socket.end();
  });

  await t.test("a response that breaks off", async () => {
    const half = await Origin.start((socket) => socket.write("HTTP/1.1 200 OK\r\n\r\nhalf"));
    t.after(() => half.stop());
    const wire = await HttpWire.connect(entry.port);
    wire.send([`GET http://127.0.0.1:${half.port}/ HTTP/1.1`, "Host: a"]);
    assert.equal((await wire.receive(true)).status, 200);
    assert.equal((await wire.client.read(7)).toString(), "4\r\nhalf");
    (await half.next()).resetAndDestroy();
    assert.equal((await wire.client.farewell()).octets.toString(), "\r\n");
    const record = await entry.audit(({ client }) => client === wire.client.address);
    assert.equal(record.outcome, "failed");
  });
});
