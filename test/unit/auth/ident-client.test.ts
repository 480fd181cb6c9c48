// The Ident client against identds that misbehave: silence, garbage, early ends, other ports; and how many it asks at once.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { IdentClient, type IdentClientOptions, IdentRefusedError } from "../../../src/auth/ident-client.js";
import { type GssocksError, NetworkError, PeerError, PolicyError } from "../../../src/errors.js";
import { deferred } from "../../support/deferred.js";

const PAIR = { clientAddress: "127.0.0.1", clientPort: 6193, serverAddress: "127.0.0.1", serverPort: 23 };

/** An identd that does what a test likes once the query's line is there. */
async function identd(
  t: TestContext,
  answer: (socket: Socket, query: string) => void,
  host = "127.0.0.1",
): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    t.after(() => socket.destroy());
    let query = "";
    socket.on("error", () => {});
    socket.on("data", (octets) => {
      query += octets.toString();
      if (query.endsWith("\r\n")) answer(socket, query);
    });
  });
  t.after(() => server.close());
  server.listen(0, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function client(
  t: TestContext,
  answer: (socket: Socket, query: string) => void,
  options: Partial<IdentClientOptions> = {},
): Promise<IdentClient> {
  return new IdentClient({ port: await identd(t, answer), timeout: 20_000, concurrency: 8, ...options });
}

const says = (text: string) => (socket: Socket) => void socket.write(Buffer.from(text, "latin1"));

async function failure(asked: Promise<unknown>): Promise<GssocksError> {
  try {
    await asked;
  } catch (error) {
    return error as GssocksError;
  }
  return assert.fail("it was answered");
}

test("the query, and the answer octet by octet", async (t) => {
  const queries: string[] = [];
  const sources: (string | undefined)[] = [];
  const one = await client(t, async (socket, query) => {
    queries.push(query);
    sources.push(socket.remoteAddress);
    socket.setNoDelay(true);
    for (const octet of "6193, 23 : USERID : UNIX : stjohns\r\n")
      await new Promise((sent) => socket.write(octet, sent));
  });
  const answer = await one.ask({ ...PAIR, serverAddress: "127.0.0.7" });
  // The space in front of the name is in the RFC's own example.
  assert.deepEqual(answer, { user: "stjohns", opsys: "UNIX", charset: null });
  assert.deepEqual([queries, sources], [["6193,23\r\n"], ["127.0.0.7"]]);
});

test("under OTHER the user id is what was sent, to the space", async (t) => {
  const one = await client(t, says("6193,23:USERID:OTHER,UTF-8: J\xc3\xbcrgen \r\n"));
  assert.deepEqual(await one.ask(PAIR), { user: " Jürgen ", opsys: "OTHER", charset: "UTF-8" });
});

test("IPv6", async (t) => {
  const port = await identd(t, says("6193,23:USERID:UNIX:joe\n"), "::1");
  const one = new IdentClient({ port, timeout: 20_000, concurrency: 1 });
  const answer = await one.ask({ ...PAIR, clientAddress: "::1", serverAddress: "::1" });
  assert.equal(answer.user, "joe");
});

test("garbage blames the peer, and says where it came from", async (t) => {
  const table: [text: string, code: string][] = [
    ["SSH-2.0-OpenSSH_9.2p1\r\n", "BAD_IDENT_RESPONSE"],
    ["6193,23:USERID:UNIX:a\x1b[31mb\r\n", "BAD_IDENT_RESPONSE"],
    [`6193,23:USERID:UNIX:${"u".repeat(513)}\r\n`, "BAD_IDENT_RESPONSE"],
    ["6193,23:USERID:UNIX: \r\n", "BAD_IDENT_RESPONSE"],
    ["x".repeat(1000), "IDENT_LINE_TOO_LONG"],
    ["x".repeat(100_000), "TOO_MUCH_DATA"],
    ["23,6193:USERID:UNIX:root\r\n", "IDENT_WRONG_PORTS"],
    ["6193,24:ERROR:NO-USER\r\n", "IDENT_WRONG_PORTS"],
  ];
  for (const [text, code] of table) {
    const error = await failure((await client(t, says(text))).ask(PAIR));
    assert.ok(error instanceof PeerError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, /^the identd at 127\.0\.0\.1:\d+: ?[ -~]+$|^the identd at 127[ -~]+$/);
  }
});

test("an ERROR is the identd's refusal; a close without an answer, in order or not, stands for UNKNOWN-ERROR", async (t) => {
  const table: [answer: (socket: Socket) => void, kind: string][] = [
    [says("6193,23:ERROR:HIDDEN-USER\r\n"), "HIDDEN-USER"],
    [says("6193 , 23 : ERROR : X-BUSY\r\n"), "X-BUSY"],
    [(socket) => socket.end(), "UNKNOWN-ERROR"],
    [(socket) => socket.end("6193,23:USERID:UNIX:joe"), "UNKNOWN-ERROR"],
    [(socket) => socket.resetAndDestroy(), "UNKNOWN-ERROR"],
  ];
  for (const [answer, kind] of table) {
    const error = await failure((await client(t, answer)).ask(PAIR));
    assert.ok(error instanceof IdentRefusedError && error instanceof PolicyError, String(error));
    assert.deepEqual([error.code, error.kind], ["IDENT_REFUSED", kind]);
  }
});

test("no identd there, and one that is silent", async (t) => {
  const port = await identd(t, () => {});
  const nowhere = new IdentClient({ port: 1, timeout: 20_000, concurrency: 1 });
  const refused = await failure(nowhere.ask(PAIR));
  assert.ok(refused instanceof NetworkError);
  assert.deepEqual(
    [refused.code, refused.message],
    ["IDENT_UNAVAILABLE", "no identd answers at 127.0.0.1:1: ECONNREFUSED"],
  );
  const silent = await failure(new IdentClient({ port, timeout: 50, concurrency: 1 }).ask(PAIR));
  assert.ok(silent instanceof NetworkError);
  assert.deepEqual(
    [silent.code, silent.message],
    ["IDENT_UNAVAILABLE", `no answer from the identd at 127.0.0.1:${port} within 0.05 s`],
  );
});

test("a source address that is not ours is no identd's fault, and no answer", async (t) => {
  const one = await client(t, says("6193,23:USERID:UNIX:joe\r\n"));
  const error = await failure(one.ask({ ...PAIR, serverAddress: "192.0.2.1" }));
  assert.equal(error.code, "IDENT_UNAVAILABLE");
});

test("the caller's signal ends it, before and while it waits, and the identd sees the end", async (t) => {
  const asked = deferred<Socket>();
  const one = await client(t, (socket) => asked.resolve(socket));
  assert.equal((await failure(one.ask(PAIR, AbortSignal.abort()))).code, "IDENT_ABORTED");
  const giveUp = new AbortController();
  const failed = failure(one.ask(PAIR, giveUp.signal));
  const ended = once(await asked.promise, "end");
  giveUp.abort();
  assert.equal((await failed).code, "IDENT_ABORTED");
  await ended;
});

test("so many at once, so many wait their turn, more are refused; one host has a quarter of it", async (t) => {
  const open: Socket[] = [];
  let arrived = () => {};
  const four = await client(
    t,
    (socket) => {
      open.push(socket);
      arrived();
    },
    { concurrency: 4 },
  );
  const arrivals = async (count: number) => {
    while (open.length < count) await new Promise<void>((resolve) => (arrived = resolve));
  };
  // The identd listens on 127.0.0.1 alone, so other hosts have none: their queries fail at once, if they get their turn.
  const joe = Array.from({ length: 5 }, () => four.ask(PAIR));
  assert.equal((await failure(four.ask(PAIR))).code, "IDENT_BUSY");
  await arrivals(1);
  assert.equal((await failure(four.ask({ ...PAIR, clientAddress: "127.0.0.2" }))).code, "IDENT_UNAVAILABLE");
  for (let count = 1; count <= 5; count += 1) {
    await arrivals(count);
    assert.equal(open.length, count, "one at a time");
    open[count - 1]?.end(`6193,23:USERID:UNIX:joe${count}\r\n`);
    assert.equal((await joe[count - 1])?.user, `joe${count}`);
  }
});

test("a query that was given up while it waited leaves its place to the next", async (t) => {
  const sockets: Socket[] = [];
  const one = await client(t, (socket) => void sockets.push(socket), { concurrency: 1 });
  const giveUp = new AbortController();
  const first = failure(one.ask(PAIR, giveUp.signal));
  const second = failure(one.ask(PAIR, giveUp.signal));
  giveUp.abort();
  assert.deepEqual([(await first).code, (await second).code], ["IDENT_ABORTED", "IDENT_ABORTED"]);
  const third = failure(one.ask(PAIR, AbortSignal.timeout(1)));
  assert.equal((await third).code, "IDENT_ABORTED");
  const last = await failure(one.ask({ ...PAIR, clientAddress: "127.0.0.2" }));
  assert.equal(last.code, "IDENT_UNAVAILABLE");
});
