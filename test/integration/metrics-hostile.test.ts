/**
 * What is tested: the metrics' listener of a server process against clients of HTTP that mean it no good: other methods
 * and paths, headers without an end, many requests at once on one connection, many connections, requests that come an
 * octet at a time, answers that are not read. Each is told or cut off, none is answered twice, and SOCKS goes on.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { answerOf, ask, get, openHttp } from "../support/http.js";
import { descriptors, until } from "../support/kernel.js";
import { metricsPort } from "../support/metrics.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

/** Connections that it has at once. */
const CONNECTIONS = 16;

test("clients of HTTP that mean no good", async (t) => {
  const { proxy } = await proxiedRealm(t, {
    metrics: { address: "127.0.0.1:0" },
    timeouts: { drain: "0s" },
  });
  const port = await metricsPort(proxy);
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const assertServes = async () => {
    const client = await RawClient.through(proxy, origin);
    client.send(client.seal(Buffer.from("hello")));
    assert.equal((await client.open()).toString(), "hello");
    client.socket.end();
    await proxy.audit((each) => each.client === client.address);
    client.close();
  };
  // What serving opens once and for all is open from here on.
  await assertServes();
  const before = descriptors(proxy.pid);

  for (const [request, status, body] of [
    ["POST /metrics HTTP/1.1\r\nContent-Length: 1000000000", 405, "only GET and HEAD\n"],
    ["DELETE /healthz HTTP/1.1", 405, "only GET and HEAD\n"],
    ["GET / HTTP/1.1", 404, "only /metrics, /healthz, /readyz\n"],
    ["GET /metrics/../etc/passwd HTTP/1.1", 404, "only /metrics, /healthz, /readyz\n"],
    ["GET http://example.test/metrics HTTP/1.1", 404, "only /metrics, /healthz, /readyz\n"],
    ["GET /__proto__ HTTP/1.1", 404, "only /metrics, /healthz, /readyz\n"],
    ["HEAD /healthz HTTP/1.1", 200, ""],
    ["GET /healthz?verbose HTTP/1.1", 200, "healthy\n"],
    ["GET /healthz HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade", 200, "healthy\n"],
    ["CONNECT localhost:22 HTTP/1.1", null, ""],
    ["nonsense", 400, ""],
    [`GET /healthz HTTP/1.1\r\nX: ${"x".repeat(5000)}`, 431, ""],
    [`GET /${"x".repeat(5000)} HTTP/1.1`, 431, ""],
  ] as const) {
    await t.test(request.slice(0, 50), async () => {
      const answer = await ask(port, request);
      assert.deepEqual([answer.status, answer.body], [status, body]);
    });
  }

  await t.test("a header without an end", async () => {
    const socket = await openHttp(port);
    socket.write("GET /metrics HTTP/1.1\r\nX: ");
    const answer = answerOf(socket);
    const flood = () => {
      while (socket.writable && socket.write("x".repeat(65536)));
    };
    socket.on("drain", flood);
    flood();
    // A reset may overtake what was said.
    assert.ok([431, null].includes((await answer).status));
  });

  await t.test("many requests on one connection", async () => {
    const socket = await openHttp(port);
    const answer = answerOf(socket);
    socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20_000));
    const { octets } = await answer;
    assert.equal(octets.match(/^HTTP\/1\.1 200/gm)?.length, 1);
    assert.match(octets, /^Connection: close\r$/m);
  });

  await t.test("more connections than there may be, slow ones all", async () => {
    const slow: Socket[] = [];
    for (let each = 0; each < CONNECTIONS; each += 1) slow.push(await openHttp(port));
    t.after(() => {
      for (const socket of slow) socket.destroy();
    });
    for (const socket of slow) socket.write("GET /heal");
    await until("all are accepted", () => descriptors(proxy.pid) >= before + CONNECTIONS);
    assert.equal((await answerOf(await openHttp(port))).octets, "", "one too many");

    await assertServes();

    // An octet now and then does not keep them.
    const pulse = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write("x");
    }, 200);
    const answers = await Promise.all(slow.map(answerOf));
    clearInterval(pulse);
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([408]));
    assert.equal((await get(port, "/healthz")).status, 200);
  });

  await t.test("an answer that is not read, with requests behind it", async () => {
    const socket = await openHttp(port);
    socket.on("error", () => {}).pause();
    const ended = once(socket, "close");
    socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50_000));
    await until("it is cut off", () => descriptors(proxy.pid) <= before);
    socket.destroy();
    await ended;
  });

  await t.test("nothing is left behind", async () => {
    await until("all are closed", () => descriptors(proxy.pid) <= before);
    assert.equal((await get(port, "/readyz")).status, 200);
  });
});
