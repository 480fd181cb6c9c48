/**
 * What is tested: HTTP that nobody means well with. A head that drips or never ends, one that is too long, requests whose
 * length can be read in two ways (RFC 9112 §6.3, §11.2), targets that say two things, octets that are no HTTP, a first octet
 * and silence, CONNECT before the answer to an earlier request, octets behind a CONNECT that is refused, clients that vanish;
 * origins that answer nonsense, too much, or half. Each costs bounded time, ends in an error that says what it was, and
 * nothing of it gets to an origin; the proxy goes on.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { HttpOrigin } from "../support/http-origin.js";
import { HttpWire, type Received } from "../support/http-wire.js";
import { scratch } from "../support/identd.js";
import { sockets, until } from "../support/kernel.js";
import { ending, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { LogLine } from "../support/proxy.js";

const PENALTIES = { failedAuthentication: "0s", handshakeTimeout: "0s", protocolError: "0s" };

test("hostile HTTP", async (t) => {
  const { proxy } = await proxiedRealm(t, {
    listeners: [{ address: "127.0.0.1:0", methods: ["none"], http: true }],
    timeouts: { handshake: "2s", idle: "3s" },
    penalties: PENALTIES,
  });
  const origin = await HttpOrigin.start(t);
  const at = `127.0.0.1:${origin.port}`;
  const recordOf = (wire: HttpWire) => proxy.audit(({ client }) => client === wire.client.address);
  async function assertFails(wire: HttpWire, code: string, step?: string): Promise<LogLine> {
    const record = await recordOf(wire);
    assert.equal(record.code, code, JSON.stringify(record));
    const { session } = record;
    const failed = await proxy.waitForLog(
      (line) => line.msg === "session failed" && line.session === session,
    );
    if (step !== undefined) assert.equal(failed.step, step);
    return record;
  }
  async function assertRefused(octets: string | Buffer, status: number, code: string): Promise<void> {
    const before = origin.asked.length;
    const wire = await HttpWire.connect(proxy.port);
    wire.write(octets);
    const answer = await wire.receive();
    assert.equal(answer.status, status, answer.body);
    assert.match(answer.body, new RegExp(`\\n${code}: `));
    await assertFails(wire, code);
    assert.equal(origin.asked.length, before, "nothing came to the origin");
    wire.client.socket.destroy();
  }
  const head = (...lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;
  const get = `GET http://${at}/ HTTP/1.1`;
  const post = `POST http://${at}/ HTTP/1.1`;

  const refused: [what: string, octets: string | Buffer, status: number, code: string][] = [
    [
      "Content-Length and Transfer-Encoding",
      head(post, "Host: a", "Content-Length: 4", "Transfer-Encoding: chunked") +
        head("0", "", get, "Host: a"),
      400,
      "BAD_HTTP",
    ],
    [
      "Transfer-Encoding and Content-Length",
      head(post, "Host: a", "Transfer-Encoding: chunked", "Content-Length: 4") +
        head("0", "", get, "Host: a"),
      400,
      "BAD_HTTP",
    ],
    ["two Content-Length", head(post, "Host: a", "Content-Length: 4", "Content-Length: 5"), 400, "BAD_HTTP"],
    ["a list of them", head(post, "Host: a", "Content-Length: 4, 4"), 400, "BAD_HTTP"],
    ["a negative one", head(post, "Host: a", "Content-Length: -4"), 400, "BAD_HTTP"],
    ["another coding", head(post, "Host: a", "Transfer-Encoding: gzip, chunked"), 501, "TRANSFER_CODING"],
    ["chunks twice", head(post, "Host: a", "Transfer-Encoding: chunked, chunked"), 400, "BAD_HTTP"],
    [
      "chunks in HTTP/1.0",
      head(`POST http://${at}/ HTTP/1.0`, "Transfer-Encoding: chunked"),
      400,
      "BAD_HTTP",
    ],
    ["a folded line", head(get, "Host: a", "X: b", " c"), 400, "BAD_HTTP"],
    ["a space before the colon", head(get, "Host: a", "Content-Length : 4"), 400, "BAD_HTTP"],
    ["a line feed alone", `${get}\nHost: a\n\n`, 400, "BAD_HTTP"],
    ["a carriage return alone", head(get, "Host: a", "X: b\rTransfer-Encoding: chunked"), 400, "BAD_HTTP"],
    ["NUL in a field", head(get, "Host: a", "X: a\0b"), 400, "BAD_HTTP"],
    ["no Host", head(get), 400, "BAD_HTTP"],
    ["two Host", head(get, "Host: a", "Host: b"), 400, "BAD_HTTP"],
    ["a user in the target", head(`GET http://user@${at}/ HTTP/1.1`, "Host: a"), 400, "BAD_TARGET"],
    ["https as a URI", head("GET https://a.test/ HTTP/1.1", "Host: a"), 400, "BAD_TARGET"],
    ["another scheme", head("GET ftp://a.test/ HTTP/1.1", "Host: a"), 400, "BAD_TARGET"],
    ["a fragment", head(`GET http://${at}/#a HTTP/1.1`, "Host: a"), 400, "BAD_TARGET"],
    ["port 0", head("GET http://127.0.0.1:0/ HTTP/1.1", "Host: a"), 400, "BAD_TARGET"],
    ["a port too large", head("GET http://127.0.0.1:65536/ HTTP/1.1", "Host: a"), 400, "BAD_TARGET"],
    ["CONNECT without a port", head("CONNECT 127.0.0.1 HTTP/1.1"), 400, "BAD_TARGET"],
    ["CONNECT of a URI", head(`CONNECT http://${at}/ HTTP/1.1`), 400, "BAD_TARGET"],
    ["CONNECT with a body", head(`CONNECT ${at} HTTP/1.1`, "Content-Length: 3"), 400, "BAD_HTTP"],
    ["CONNECT with chunks", head(`CONNECT ${at} HTTP/1.1`, "Transfer-Encoding: chunked"), 400, "BAD_HTTP"],
    ["a name that is none", head("CONNECT a_%00b:80 HTTP/1.1"), 400, "BAD_DOMAIN_NAME"],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "BAD_HTTP"],
    ["an unknown method", head(`BREW http://${at}/ HTTP/1.1`, "Host: a"), 400, "BAD_HTTP"],
    ["a head without end", `${get}\r\nHost: a\r\nX: ${"a".repeat(120_000)}`, 431, "FIELDS_TOO_LONG"],
    ["a target without end", `GET http://${at}/${"a".repeat(120_000)}`, 431, "FIELDS_TOO_LONG"],
    ["fields without end", head(get, "Host: a", ...Array(300).fill("X: a")), 431, "FIELDS_TOO_LONG"],
  ];
  for (const [what, octets, status, code] of refused)
    await t.test(`refused: ${what}`, () => assertRefused(octets, status, code));

  await t.test("octets of no protocol", async () => {
    const wire = await HttpWire.connect(proxy.port);
    wire.write(Buffer.from("16030100c8010000c40303", "hex"));
    await wire.client.farewell();
    await assertFails(wire, "BAD_VERSION", "method selection");
  });

  await t.test("a connection without an octet, a first octet and silence, a head that drips", async () => {
    for (const [octets, step] of [
      ["", "method selection"],
      ["G", "HTTP request"],
      [`${get}\r\nHost: a\r\n`, "HTTP request"],
    ] as const) {
      const wire = await HttpWire.connect(proxy.port);
      if (octets !== "") wire.write(octets);
      // As long as there is an end of it, and not as long as it drips.
      const drip = setInterval(() => octets.length > 1 && wire.write("X: y\r\n"), 200);
      await wire.client.farewell();
      clearInterval(drip);
      await assertFails(wire, "HANDSHAKE_TIMEOUT", step);
    }
  });

  await t.test("a kept connection without a further request is closed, and is no session", async () => {
    const wire = await HttpWire.connect(proxy.port);
    await wire.ask([get, "Host: a"]);
    await wire.client.farewell();
    const all = proxy
      .log()
      .filter((line) => line.msg === "session opened" && line.client === wire.client.address);
    assert.equal(all.length, 1);
  });

  await t.test(
    "requests before the answer: a few wait, more end the connection, and so does a CONNECT",
    async () => {
      const few = await HttpWire.connect(proxy.port);
      few.write(head(get, "Host: a").repeat(8));
      for (let each = 0; each < 8; each += 1) assert.equal((await few.receive()).status, 200);
      few.client.socket.end();
      for (const octets of [
        head(get, "Host: a").repeat(200),
        head(get, "Host: a") + head(`CONNECT ${at} HTTP/1.1`) + head(get, "Host: a"),
      ]) {
        const wire = await HttpWire.connect(proxy.port);
        wire.write(octets);
        await wire.client.farewell();
        await assertFails(wire, "PIPELINED");
      }
    },
  );

  await t.test("a request behind a CONNECT that is refused is none", async () => {
    const before = origin.asked.length;
    const wire = await HttpWire.connect(proxy.port);
    wire.write(head("CONNECT 192.0.2.1:80 HTTP/1.1") + head(get, "Host: a"));
    assert.equal((await wire.receive()).status, 403);
    assert.equal((await wire.client.farewell()).octets.length, 0);
    assert.equal(origin.asked.length, before);
  });

  await t.test("a client that vanishes in the middle of its body takes the request with it", async () => {
    const raw = await Origin.start(() => {});
    t.after(() => raw.stop());
    for (const vanish of [(socket: Socket) => socket.resetAndDestroy(), (socket: Socket) => socket.end()]) {
      const wire = await HttpWire.connect(proxy.port);
      wire.send([`POST http://127.0.0.1:${raw.port}/ HTTP/1.1`, "Host: a", "Content-Length: 100"], "abc");
      const socket = await raw.next();
      const ended = ending(socket);
      await received(socket, "abc");
      vanish(wire.client.socket);
      assert.equal(await ended, "ECONNRESET");
      assert.match(String((await recordOf(wire)).code), /^(?:CONNECTION_LOST|CLOSED_EARLY)$/);
    }
  });

  await t.test("an origin that answers and reads no more does not keep its connection", async (t) => {
    const raw = await Origin.start((socket) => {
      socket.once("data", () => socket.pause().write(head("HTTP/1.1 200 OK", "Content-Length: 0")));
    });
    t.after(() => raw.stop());
    const open = sockets(proxy.pid);
    for (let each = 0; each < 3; each += 1) {
      const wire = await HttpWire.connect(proxy.port);
      const length = `Content-Length: ${1 << 26}`;
      wire.send([`POST http://127.0.0.1:${raw.port}/ HTTP/1.1`, "Host: a", length], Buffer.alloc(1 << 24));
      assert.equal((await wire.receive()).status, 200);
      wire.client.socket.destroy();
      assert.equal((await recordOf(wire)).destination, `127.0.0.1:${raw.port}`);
    }
    await until("they are closed", () => sockets(proxy.pid) <= open);
  });

  await t.test("a client that does not read stops the origin, and is cut off in the end", async () => {
    let written = 0;
    const endless = await Origin.start((socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        const more = () => {
          do written += 65536;
          while (socket.write(Buffer.alloc(65536)));
        };
        socket.on("drain", more);
        more();
      });
    });
    t.after(() => endless.stop());
    const wire = await HttpWire.connect(proxy.port);
    wire.client.socket.pause();
    wire.send([`GET http://127.0.0.1:${endless.port}/ HTTP/1.1`, "Host: a"]);
    const record = await assertFails(wire, "IDLE_TIMEOUT");
    assert.ok(written < 64 << 20, `${written} octets were taken for a client that reads none`);
    assert.ok(Number(record.bytesDown) > 0);
    wire.client.socket.destroy();
  });

  const answers: [what: string, octets: string, status: number | "cut", code: string][] = [
    ["nothing", "", 502, "NO_RESPONSE"],
    ["no HTTP", "220 mail.example.test ESMTP\r\n", 502, "BAD_RESPONSE"],
    ["a head without end", `HTTP/1.1 200 OK\r\nX: ${"a".repeat(120_000)}`, 502, "BAD_RESPONSE"],
    [
      "two lengths",
      head("HTTP/1.1 200 OK", "Content-Length: 3", "Transfer-Encoding: chunked") + head("0"),
      502,
      "BAD_RESPONSE",
    ],
    ["another coding", head("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"), 502, "BAD_RESPONSE"],
    [
      "another protocol",
      head("HTTP/1.1 101 Switching Protocols", "Connection: upgrade", "Upgrade: x"),
      502,
      "BAD_RESPONSE",
    ],
    ["half of its body", `${head("HTTP/1.1 200 OK", "Content-Length: 100")}half`, "cut", "CONNECTION_LOST"],
    [
      "half of its chunks",
      `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}4\r\nhalf\r\n`,
      "cut",
      "CONNECTION_LOST",
    ],
    [
      "a bad chunk",
      `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}zz\r\n`,
      "cut",
      "CONNECTION_LOST",
    ],
  ];
  for (const [what, octets, status, code] of answers) {
    await t.test(`an origin that answers ${what}`, async (t) => {
      const raw = await Origin.start((socket) => socket.once("data", () => socket.end(octets)));
      t.after(() => raw.stop());
      const wire = await HttpWire.connect(proxy.port);
      wire.send([`GET http://127.0.0.1:${raw.port}/ HTTP/1.1`, "Host: a"]);
      const answer = wire.receive().catch((error: Error) => error);
      if (status === "cut") {
        // What came of it may be there, but not as a whole response.
        assert.ok((await answer) instanceof Error);
        await wire.client.farewell();
      } else {
        const { status: got, body } = (await answer) as Received;
        assert.equal(got, status);
        assert.match(body, new RegExp(`\\n${code}: `));
      }
      await assertFails(wire, code);
      wire.client.socket.destroy();
    });
  }

  await t.test("an origin that never comes to its last response", async (t) => {
    const raw = await Origin.start((socket) => {
      const hint = head("HTTP/1.1 103 Early Hints", `Link: <${"a".repeat(1000)}>`);
      socket.once("data", () => {
        const more = () => {
          while (socket.write(hint.repeat(100)));
        };
        socket.on("drain", more);
        more();
      });
    });
    t.after(() => raw.stop());
    const wire = await HttpWire.connect(proxy.port);
    wire.send([`GET http://127.0.0.1:${raw.port}/ HTTP/1.1`, "Host: a"]);
    let answer = await wire.receive();
    while (answer.status === 103) answer = await wire.receive();
    assert.equal(answer.status, 502);
    await assertFails(wire, "BAD_RESPONSE");
    wire.client.socket.destroy();
  });

  await t.test("an origin that resets in the middle of a body without a length", async (t) => {
    const raw = await Origin.start((socket) => socket.write("HTTP/1.1 200 OK\r\n\r\nhalf"));
    t.after(() => raw.stop());
    const wire = await HttpWire.connect(proxy.port);
    wire.send([`GET http://127.0.0.1:${raw.port}/ HTTP/1.1`, "Host: a"]);
    assert.equal((await wire.receive(true)).status, 200);
    assert.equal((await wire.client.read(7)).toString(), "4\r\nhalf");
    (await raw.next()).resetAndDestroy();
    // Without the chunk that would end it.
    assert.equal((await wire.client.farewell()).octets.toString(), "\r\n");
    await assertFails(wire, "CONNECTION_LOST");
  });

  await t.test("the proxy goes on", async () => {
    const wire = await HttpWire.connect(proxy.port);
    assert.equal((await wire.ask([get, "Host: a"])).status, 200);
    wire.client.socket.end();
  });
});

test("a client that does not read what the proxy itself answers is let go", async (t) => {
  // Of a Unix socket the kernel keeps little that is not read.
  const path = `${await scratch(t)}/proxy`;
  const { proxy } = await proxiedRealm(t, {
    listeners: [{ address: `unix:${path}`, methods: ["none"], http: true }],
    timeouts: { handshake: "2s", drain: "1h" },
    penalties: PENALTIES,
    log: { level: "info" },
  });
  const open = sockets(proxy.pid);
  const client = connect({ path }).pause();
  t.after(() => client.destroy());
  client.on("error", () => {});
  await once(client, "connect");
  const denied = "GET http://192.0.2.1/ HTTP/1.1\r\nHost: a\r\n\r\n";
  client.write(denied);
  await proxy.audit();
  let gone = false;
  const letGo = until("it is let go", () => sockets(proxy.pid) <= open).then(() => {
    gone = true;
  });
  // No more than may wait; after so many that the answers have no room any more it is not heard either.
  for (let asked = 11; !gone; asked += 10) {
    client.write(denied.repeat(10));
    await until("they are answered", () => gone || proxy.audits().length >= asked);
  }
  await letGo;
});

async function received(socket: Socket, text: string): Promise<void> {
  let all = "";
  while (!all.endsWith(text)) all += String((await once(socket, "data"))[0]);
}
