/**
 * Answers to a CONNECT that no honest proxy gives, and the rarer ones that some do, from a proxy made up for the test:
 * garbage, floods, silence, ends; every status; data behind the head; the fields that are sent, and the hop marks in them.
 */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { openThrough } from "../../../src/client/handshake.js";
import type { Opened, ProxyOptions } from "../../../src/client/proxy-options.js";
import type { GssocksError } from "../../../src/errors.js";
import { parseHost } from "../../../src/protocol/address.js";
import { CMD } from "../../../src/protocol/constants.js";
import { Origin } from "../../support/origin.js";

const USER = { methods: ["password"], username: "carol", password: "s:ü" } as const;
const OK = "HTTP/1.1 200 OK\r\n\r\n";

/** The proxy answers each head that comes on any of its connections with the next of these, as they are. */
async function fakeProxy(t: TestContext, answers: readonly (string | ((socket: Socket) => void))[]) {
  const asked: string[] = [];
  const left = [...answers];
  const proxy = await Origin.start((socket) => {
    let head = "";
    socket.on("data", (octets) => {
      head += octets.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      asked.push(head);
      head = "";
      const answer = left.shift() ?? "";
      if (typeof answer === "string") socket.write(answer, "latin1");
      else answer(socket);
    });
  });
  t.after(() => proxy.stop());
  return { proxy, asked };
}

async function open(t: TestContext, port: number, options: Partial<ProxyOptions> = {}): Promise<Opened> {
  const opened = await openThrough(
    {
      proxy: { host: "127.0.0.1", port },
      protocol: "http",
      methods: ["none"],
      timeout: 20_000,
      ...options,
    },
    { cmd: CMD.CONNECT, dst: { host: parseHost("2001:db8::1"), port: 443 } },
  );
  t.after(() => opened.socket.destroy());
  return opened;
}

async function refused(
  t: TestContext,
  answer: string | ((socket: Socket) => void),
  options?: Partial<ProxyOptions>,
) {
  const { proxy } = await fakeProxy(t, [answer]);
  const error = await open(t, proxy.port, options).then(
    () => assert.fail("it was opened"),
    (error: GssocksError) => error,
  );
  assert.ok(error.message.length < 500, error.message);
  // The connection is given up, too.
  const [socket] = proxy.sockets;
  if (socket !== undefined && !socket.destroyed && !socket.readableEnded)
    await new Promise((resolve) => socket.once("close", resolve).once("end", resolve).resume());
  return error;
}

test("what is sent", async (t) => {
  const { proxy, asked } = await fakeProxy(t, [OK, OK, OK]);
  await open(t, proxy.port);
  await open(t, proxy.port, { hops: 3 });
  await open(t, proxy.port, USER);
  const lines = asked.map((head) => head.trimEnd().split("\r\n"));
  const first = [
    "CONNECT [2001:db8::1]:443 HTTP/1.1",
    "Host: [2001:db8::1]:443",
    "Proxy-Connection: keep-alive",
  ];
  assert.deepEqual(lines, [
    first,
    [...first, "Via: 1.1 gssocks, 1.1 gssocks, 1.1 gssocks"],
    [...first, `Proxy-Authorization: Basic ${Buffer.from("carol:s:ü").toString("base64")}`],
  ]);
});

test("what is granted: any 2xx, with what comes behind the head", async (t) => {
  const table: [answer: string, rest: string][] = [
    [`${OK}early`, "early"],
    ["HTTP/1.0 200\r\n\r\n", ""],
    ["HTTP/1.1 299 Fine\r\nContent-Length: 3\r\n\r\nabcdef", "abcdef"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc", "3\r\nabc"],
  ];
  for (const [answer, rest] of table) {
    const { proxy } = await fakeProxy(t, [answer]);
    const opened = await open(t, proxy.port);
    assert.deepEqual(
      [opened.rest.toString(), opened.socket.isPaused(), opened.context, opened.session.level],
      [rest, true, null, "none"],
    );
    for (const event of ["error", "data", "close", "readable"])
      assert.equal(opened.socket.listenerCount(event), 0, event);
  }
  const { proxy } = await fakeProxy(t, [
    (socket) => {
      for (const octet of OK) socket.write(octet);
      socket.end("behind");
    },
  ]);
  const { socket, rest } = await open(t, proxy.port);
  assert.equal(`${rest}${Buffer.concat(await socket.toArray())}`, "behind");
});

test("every status that is no grant", async (t) => {
  const table: [status: number, name: string, code: string, rep: number][] = [
    // Nobody asked for it (RFC 9110 §10.1.1), and Node takes nothing behind it.
    [100, "PeerError", "REQUEST_REFUSED", 1],
    [101, "PeerError", "REQUEST_REFUSED", 1],
    [302, "PeerError", "REQUEST_REFUSED", 1],
    [400, "PeerError", "REQUEST_REFUSED", 1],
    [403, "PolicyError", "RULE_DENIED", 2],
    [405, "PeerError", "REQUEST_REFUSED", 1],
    [500, "PeerError", "REQUEST_REFUSED", 1],
    [502, "NetworkError", "DESTINATION_REFUSED", 4],
    [503, "NetworkError", "DESTINATION_REFUSED", 4],
    [504, "NetworkError", "DESTINATION_REFUSED", 6],
    [508, "PolicyError", "LOOP", 1],
    [599, "PeerError", "REQUEST_REFUSED", 1],
  ];
  for (const [status, ...expected] of table) {
    const error = await refused(t, `HTTP/1.1 ${status} Because\r\nContent-Length: 4\r\n\r\npage`);
    assert.deepEqual([error.name, error.code, error.rep], expected, String(status));
    assert.match(error.message, new RegExp(`\\[2001:db8::1\\]:443: .*\\(${status}\\)`));
  }
});

test("407", async (t) => {
  const asks = (...challenges: string[]) =>
    `HTTP/1.1 407 No\r\n${challenges.map((each) => `Proxy-Authenticate: ${each}\r\n`).join("")}Content-Length: 0\r\n\r\n`;
  const table: [answer: string, options: Partial<ProxyOptions>, code: string][] = [
    [asks('Basic realm="x"'), USER, "AUTHENTICATION_REFUSED"],
    [asks('Digest realm="Basic"'), USER, "NO_ACCEPTABLE_METHOD"],
    [asks(), USER, "NO_ACCEPTABLE_METHOD"],
    [
      asks(...Array.from({ length: 50 }, (_, index) => `scheme-${"x".repeat(100)}${index}`)),
      USER,
      "NO_ACCEPTABLE_METHOD",
    ],
    [asks('Basic realm="x"'), {}, "NO_ACCEPTABLE_METHOD"],
  ];
  for (const [answer, options, code] of table) assert.equal((await refused(t, answer, options)).code, code);

  const { proxy, asked } = await fakeProxy(t, [asks('Basic realm="x"'), OK]);
  const { session } = await open(t, proxy.port, { ...USER, methods: ["none", "password"] });
  assert.equal(session.method, "password");
  assert.deepEqual(
    asked.map((head) => head.includes("Proxy-Authorization")),
    [false, true],
  );
  assert.equal(proxy.sockets.length, 2);
});

test("what is not HTTP, too long, or no answer at all", async (t) => {
  const table: [answer: string | ((socket: Socket) => void), code: string][] = [
    ["\x05\xff", "BAD_RESPONSE"],
    ["SSH-2.0-OpenSSH_9.2\r\n", "BAD_RESPONSE"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "BAD_RESPONSE"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "BAD_RESPONSE"],
    ["HTTP/1.1 200 OK\r\nName : value\r\n\r\n", "BAD_RESPONSE"],
    ["HTTP/1.1 200 OK\nbad\x01name: value\r\n\r\n", "BAD_RESPONSE"],
    [(socket) => socket.end(), "CLOSED_EARLY"],
    [(socket) => socket.end("HTTP/1.1 200 OK\r\n"), "CLOSED_EARLY"],
    [(socket) => socket.resetAndDestroy(), "CONNECTION_LOST"],
    [flood("HTTP/1.1 200 OK\r\nx: ", "x"), "BAD_RESPONSE"],
    [flood("HTTP/1.1 200 ", "x"), "BAD_RESPONSE"],
    [flood("HTTP/1.1 200 OK\r\n", "a: b\r\n"), "BAD_RESPONSE"],
  ];
  for (const [answer, code] of table) assert.equal((await refused(t, answer)).code, code, String(answer));
});

test("silence, before and within the answer, ends with the time or the signal", async (t) => {
  const answers = [
    () => {},
    (socket: Socket) => void socket.write("HTTP/1.1 2"),
    (socket: Socket) => void socket.write(OK.slice(0, -1)),
  ];
  for (const answer of answers) {
    assert.equal((await refused(t, answer, { timeout: 300 })).code, "TIMEOUT");
    const abort = new AbortController();
    const aborting = (socket: Socket) => {
      answer(socket);
      abort.abort();
    };
    assert.equal((await refused(t, aborting, { signal: abort.signal })).code, "ABORTED");
  }
});

/** Sends the second again and again for as long as it is read. */
function flood(first: string, again: string): (socket: Socket) => void {
  const octets = again.repeat(Math.ceil(8192 / again.length));
  return (socket) => {
    const pour = () => {
      while (!socket.destroyed && socket.write(octets));
    };
    socket.on("drain", pour).write(first);
    pour();
  };
}
