/**
 * What is tested: HTTP at a listener that takes it beside SOCKS. CONNECT, and requests with an absolute URI: what the origin
 * gets of them and the client of its responses (RFC 9110 §7.6), bodies of both framings, responses without a body or an
 * announced end, HTTP/1.0, 100-continue, many requests on one connection with a record of each, what is answered where that
 * fails; SOCKS on the same port as before.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpOrigin } from "../support/http-origin.js";
import { HttpWire } from "../support/http-wire.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { isSessionRecord } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";

test("HTTP at the listener", async (t) => {
  const { proxy } = await proxiedRealm(t, {
    listeners: [{ address: "127.0.0.1:0", methods: ["none"], http: true }],
    rules: [{ deny: { to: ["127.0.0.9"] } }, { allow: { to: ["127.0.0.0/8", "localhost"] } }],
    limits: { sessions: 50 },
  });
  const origin = await HttpOrigin.start(t, (asked, response) => {
    if (asked.url === "/bare") response.writeHead(204).end();
    else if (asked.url === "/same") response.writeHead(304, { ETag: '"a"', "Content-Length": "7" }).end();
    else if (asked.url === "/chunked") {
      response.write("abc");
      response.end("def");
    } else if (asked.url === "/early") {
      response.writeProcessing();
      response.writeEarlyHints({ link: "</a.css>; rel=preload" });
      response.write("early");
      response.addTrailers([
        ["X-Sum", "5"],
        ["Connection", "X-Hop"],
        ["X-Hop", "for us alone"],
        ["X-Sum2", "6"],
      ]);
      response.end();
    } else if (asked.url === "/fields") {
      response.sendDate = false;
      response.writeHead(200, [
        ["Set-Cookie", "a=1"],
        ["Set-Cookie", "b=2"],
        ["Connection", "X-Hop, close"],
        ["X-Hop", "for us alone"],
        ["Keep-Alive", "timeout=7"],
        ["X-End", "to end"],
      ] as unknown as string[]);
      response.end("fields");
    } else if (asked.url === "/407") response.writeHead(407, { "Proxy-Authenticate": "Basic" }).end();
    else response.end(`${asked.method} ${asked.url} ${asked.body.length}`);
  });
  const at = `127.0.0.1:${origin.port}`;
  const tcp = await Origin.start(echo);
  t.after(() => tcp.stop());

  await t.test("CONNECT, with octets behind its head, and a half-close", async () => {
    const wire = await HttpWire.connect(proxy.port);
    wire.send([`CONNECT 127.0.0.1:${tcp.port} HTTP/1.1`, `Host: 127.0.0.1:${tcp.port}`], "at once, ");
    const { status } = await wire.receive(true);
    assert.equal(status, 200);
    wire.write("and later");
    wire.client.socket.end();
    const { octets, how } = await wire.client.farewell();
    assert.deepEqual([octets.toString(), how], ["at once, and later", "end"]);
    const record = await proxy.audit(({ client }) => client === wire.client.address);
    assert.deepEqual(
      [record.method, record.command, record.destination, record.outcome, record.bytesUp, record.bytesDown],
      ["none", "connect", `127.0.0.1:${tcp.port}`, "completed", 18, 18],
    );
    assert.equal(record.rep, 0);
  });

  await t.test("SOCKS5 on the same port", async () => {
    const client = await RawClient.connect(proxy.port);
    client.send(5, 1, 0);
    assert.deepEqual([...(await client.read(2))], [5, 0]);
    client.send(5, 1, 0, 1, 127, 0, 0, 1, tcp.port >> 8, tcp.port & 0xff);
    assert.equal((await client.read(10))[1], 0);
    client.send(Buffer.from("socks"));
    assert.equal((await client.read(5)).toString(), "socks");
    client.socket.end();
    await client.farewell();
  });

  await t.test("what is for this connection is taken out, and the rest goes on as it came", async () => {
    const wire = await HttpWire.connect(proxy.port);
    const answer = await wire.ask([
      `GET HTTP://LocalHost:${origin.port}/a%2f..%2Fb?c=d/?e HTTP/1.1`,
      "Host: somewhere.else.test",
      "Proxy-Connection: keep-alive",
      "Proxy-Authorization: Basic bm9ib2R5OmFza3M=",
      "Connection: X-Mine , Keep-Alive",
      "X-Mine: 1",
      "Keep-Alive: 5",
      "TE: trailers",
      "Upgrade: websocket",
      "Via: 1.0 fred, 1.1 p.example.test",
      "X-Twice: a",
      "x-twice: b",
      "Authorization: Bearer t",
    ]);
    assert.deepEqual([answer.status, answer.body], [200, "GET /a%2f..%2Fb?c=d/?e 0"]);
    assert.deepEqual(origin.last.fields, [
      ...["Host", `LocalHost:${origin.port}`],
      ...["Via", "1.0 fred, 1.1 p.example.test", "X-Twice", "a", "x-twice", "b", "Authorization", "Bearer t"],
      ...["Via", "1.1 gssocks", "TE", "trailers", "Connection", "close, TE"],
    ]);
    const { fields, body } = await wire.ask([`GET http://${at}/fields HTTP/1.1`, `Host: ${at}`]);
    assert.deepEqual(fields, {
      "set-cookie": "a=1, b=2",
      "x-end": "to end",
      via: "1.1 gssocks",
      connection: "keep-alive",
      "transfer-encoding": "chunked",
    });
    assert.equal(body, "fields");
    wire.client.socket.end();
  });

  await t.test("bodies, and responses with none", async () => {
    const wire = await HttpWire.connect(proxy.port);
    const ask = (line: string, fields: string[] = [], body = "") =>
      wire.ask([line.replace(" /", ` http://${at}/`), `Host: ${at}`, ...fields], body);
    const post = await ask("POST /p HTTP/1.1", ["Content-Length: 5"], "hello");
    assert.equal(post.body, "POST /p 5");
    const chunked = await ask(
      "PUT /p HTTP/1.1",
      ["Transfer-Encoding: chunked"],
      "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
    );
    assert.equal(chunked.body, "PUT /p 7");
    assert.ok(origin.last.fields.includes("Transfer-Encoding"));
    assert.equal((await ask("DELETE /d HTTP/1.1")).body, "DELETE /d 0");
    assert.equal(origin.last.fields.includes("Transfer-Encoding"), false);
    const head = await ask("HEAD /h HTTP/1.1");
    assert.deepEqual([head.status, head.fields["content-length"]], [200, undefined]);
    wire.send([`GET http://${at}/bare HTTP/1.1`, `Host: ${at}`]);
    assert.equal((await wire.receive(true)).status, 204);
    wire.send([`GET http://${at}/same HTTP/1.1`, `Host: ${at}`]);
    const same = await wire.receive(true);
    assert.deepEqual([same.status, same.fields["content-length"]], [304, "7"]);
    assert.equal((await ask("GET /chunked HTTP/1.1")).body, "abcdef");
    wire.send([`OPTIONS http://${at} HTTP/1.1`, `Host: ${at}`]);
    assert.equal((await wire.receive()).body, "OPTIONS * 0");
    wire.client.socket.end();
  });

  await t.test("100-continue is the origin's to say", async () => {
    const wire = await HttpWire.connect(proxy.port);
    wire.send([
      `POST http://${at}/wait HTTP/1.1`,
      `Host: ${at}`,
      "Content-Length: 4",
      "Expect: 100-continue",
    ]);
    assert.equal((await wire.receive()).status, 100);
    wire.write("body");
    assert.equal((await wire.receive()).body, "POST /wait 4");
    wire.client.socket.end();
  });

  await t.test("responses before the last one, and fields behind the body", async () => {
    const wire = await HttpWire.connect(proxy.port);
    const line = `GET http://${at}/early HTTP/1.1`;
    wire.send([line, `Host: ${at}`, "TE: trailers"]);
    assert.deepEqual(await wire.receive(), { status: 102, fields: { via: "1.1 gssocks" }, body: "" });
    const hints = await wire.receive();
    assert.deepEqual([hints.status, hints.fields.link], [103, "</a.css>; rel=preload"]);
    const last = await wire.receive();
    assert.deepEqual(
      [last.status, last.body, last.trailers],
      [200, "early", { "x-sum": "5", "x-sum2": "6" }],
    );
    const body = "3\r\nabc\r\n0\r\nX-Up: 7\r\nHost: elsewhere\r\nProxy-X: 1\r\n\r\n";
    await wire.ask([`PUT http://${at}/p HTTP/1.1`, `Host: ${at}`, "Transfer-Encoding: chunked"], body);
    assert.deepEqual(origin.last.trailers, ["X-Up", "7"]);
    wire.client.socket.end();
    const old = await HttpWire.connect(proxy.port);
    assert.equal((await old.ask([line.replace("1.1", "1.0"), `Host: ${at}`])).status, 200);
  });

  await t.test("HTTP/1.0 gets no chunks, and its connection ends", async () => {
    const wire = await HttpWire.connect(proxy.port);
    const { fields, body } = await wire.ask([`GET http://${at}/chunked HTTP/1.0`]);
    assert.equal(fields["transfer-encoding"], undefined);
    assert.equal(body, "abcdef");
  });

  await t.test("a client that half-closes behind its request has its response", async () => {
    const wire = await HttpWire.connect(proxy.port);
    wire.send([`GET http://${at}/x HTTP/1.1`, `Host: ${at}`]);
    wire.client.socket.end();
    assert.equal((await wire.receive()).body, "GET /x 0");
    assert.equal((await wire.client.farewell()).how, "end");
  });

  await t.test("a thousand requests on one connection are a thousand sessions", async () => {
    const wire = await HttpWire.connect(proxy.port);
    for (let each = 0; each < 1000; each += 1) {
      const { body } = await wire.ask([`GET http://${at}/n/${each} HTTP/1.1`, `Host: ${at}`]);
      assert.equal(body, `GET /n/${each} 0`);
    }
    wire.client.socket.end();
    await wire.client.farewell();
    const seen = new Set<unknown>();
    await proxy.waitForLog((line) => {
      if (isSessionRecord(line) && line.client === wire.client.address) seen.add(line.session);
      return seen.size === 1000;
    });
    const records = proxy.audits().filter(({ client }) => client === wire.client.address);
    assert.equal(records.length, 1000);
    assert.ok(records.every(({ outcome, destination }) => outcome === "completed" && destination === at));
  });

  await t.test("what fails says so: on the same connection, and by CONNECT", async () => {
    const closed = await Origin.start(() => {});
    const { port } = closed;
    await closed.stop();
    const cases: [destination: string, status: number, code: string][] = [
      [`127.0.0.9:${origin.port}`, 403, "RULE_DENIED"],
      ["192.0.2.1:80", 403, "RULE_DENIED"],
      [`127.0.0.1:${port}`, 502, "DESTINATION_REFUSED"],
    ];
    const kept = await HttpWire.connect(proxy.port);
    for (const [destination, status, code] of cases) {
      const absolute = await kept.ask(
        [`POST http://${destination}/ HTTP/1.1`, "Host: a", "Content-Length: 3"],
        "abc",
      );
      const wire = await HttpWire.connect(proxy.port);
      const connect = await wire.ask([`CONNECT ${destination} HTTP/1.1`]);
      assert.equal((await wire.client.farewell()).how, "end");
      assert.equal(connect.fields.connection, "close");
      for (const answer of [absolute, connect]) {
        assert.equal(answer.status, status);
        assert.match(answer.fields["content-type"] ?? "", /^text\/plain/);
        assert.match(answer.body, new RegExp(`^${status} [\\w ]+\\n${code}: .*\\n$`));
      }
      const record = await proxy.audit(({ client }) => client === wire.client.address);
      assert.equal(record.code, code);
      const failed = await proxy.waitForLog(
        ({ msg, session }) => msg === "session failed" && session === record.session,
      );
      assert.deepEqual([failed.step, failed.code], ["reply", code]);
    }
    assert.equal((await kept.ask([`GET http://${at}/407 HTTP/1.1`, "Host: a"])).status, 502);
    assert.equal((await kept.ask([`GET http://${at}/after HTTP/1.1`, "Host: a"])).body, "GET /after 0");
    kept.client.socket.end();
  });

  await t.test("the proxy itself has nothing", async () => {
    const wire = await HttpWire.connect(proxy.port);
    assert.equal((await wire.ask(["GET / HTTP/1.1", "Host: a"])).status, 404);
    assert.equal((await wire.ask(["GET /proxy.pac HTTP/1.1", "Host: a"])).status, 404);
    wire.client.socket.end();
  });

  await t.test("a request that has come through us nine times goes round in a circle", async () => {
    const wire = await HttpWire.connect(proxy.port);
    const marks = (count: number) => `Via: ${Array(count).fill("1.1 GSSocks (x)").join(", ")}`;
    const get = (count: number) =>
      wire.ask([`GET http://${at}/ HTTP/1.1`, "Host: a", marks(count), "Via: 1.1 a"]);
    assert.equal((await get(8)).status, 200);
    const { status, body } = await get(9);
    assert.equal(status, 508);
    assert.match(body, /\nLOOP: /);
    assert.equal((await wire.ask([`CONNECT ${at} HTTP/1.1`, marks(9)])).status, 508);
  });
});
