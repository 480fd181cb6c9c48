// BIND over the loopback network: which connection is taken, what happens to the others, and that nothing is left open.
import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { type TestContext, test } from "node:test";
import { NetworkError } from "../../../src/errors.js";
import { formatEndpoint } from "../../../src/protocol/address.js";
import { type BindOptions, type Bound, bind } from "../../../src/relay/bind.js";
import { fate, listen } from "./loopback.js";

const PATIENCE = 10_000;
const [EXPECTED, STRANGER] = ["127.0.0.1", "127.0.0.2"];
/** Addresses of the loopback network that no other process uses: here any port is free. */
const [RANGE_HOST, FULL_HOST] = [64, 128].map(
  (from) => `127.${from + ((process.pid >> 16) & 63)}.${(process.pid >> 8) & 255}.${process.pid & 255}`,
) as [string, string];

async function bound(t: TestContext, options: Partial<BindOptions> = {}): Promise<Bound> {
  const wait = await bind({
    address: "127.0.0.1",
    ports: null,
    accepts: (address) => address === EXPECTED,
    timeout: PATIENCE,
    signal: new AbortController().signal,
    ...options,
  });
  t.after(() => wait.close());
  return wait;
}

/** A connection that has not been waited for. */
function knock(t: TestContext, { bnd }: Bound, from: string = EXPECTED, host = "127.0.0.1"): Socket {
  const socket = connect({ port: bnd.port, host, localAddress: from, allowHalfOpen: true });
  t.after(() => socket.destroy());
  return socket;
}

function isNetworkError(code: string, rep: number, message = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof NetworkError, String(error));
    assert.deepEqual([error.code, error.rep], [code, rep]);
    assert.match(error.message, message);
    return true;
  };
}

async function assertRefused(t: TestContext, to: Bound): Promise<void> {
  assert.equal(await fate(knock(t, to)), "ECONNREFUSED");
}

/** Host to listen on, where to connect from, and what both are called. */
const FAMILIES: readonly [what: string, address: string, bnd: string, from: string, peer: string][] = [
  ["IPv4", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"],
  ["IPv6", "::1", "[::1]", "::1", "::1"],
  ["an IPv4-mapped address", "::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"],
];
const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1"),
);

for (const [what, address, bnd, from, peer] of FAMILIES) {
  const skip = address.includes(":") && !hasIpv6 && "this host has no ::1";
  test(`the expected connection, ${what}`, { skip }, async (t) => {
    const seen: string[] = [];
    const accepts = (each: string) => seen.push(each) > 0;
    const wait = await bound(t, { address, accepts });
    assert.equal(formatEndpoint(wait.bnd), `${bnd}:${wait.bnd.port}`);
    const theirs = knock(t, wait, from, from);
    theirs.end("early");
    const socket = await wait.peer;
    t.after(() => socket.destroy());
    assert.deepEqual(seen, [peer]);
    assert.equal(socket.remotePort, theirs.localPort);
    assert.ok(socket.isPaused());
    assert.ok(socket.allowHalfOpen);
    assert.equal(socket.listenerCount("error"), 0);
    const [data] = (await Promise.all([once(socket, "data"), socket.resume()]))[0] as [Buffer];
    assert.equal(data.toString(), "early");
    if (!socket.readableEnded) await once(socket, "end");
    // Ours goes on after their end.
    socket.end("late");
    assert.equal(Buffer.concat(await theirs.toArray()).toString(), "late");
    assert.equal(await fate(knock(t, wait, from, from)), "ECONNREFUSED", "one connection, no more");
  });
}

test("strangers are reset, and the wait goes on", async (t) => {
  const seen: string[] = [];
  const accepts = (address: string) => seen.push(address) > 0 && address === EXPECTED;
  const wait = await bound(t, { accepts });
  for (let count = 0; count < 3; count += 1) {
    assert.equal(await fate(knock(t, wait, STRANGER)), "ECONNRESET");
  }
  const theirs = knock(t, wait);
  const socket = await wait.peer;
  t.after(() => socket.destroy());
  assert.equal(socket.remotePort, theirs.localPort);
  assert.deepEqual(seen, [STRANGER, STRANGER, STRANGER, EXPECTED]);
});

test("of two expected ones the second is reset or refused", async (t) => {
  const wait = await bound(t);
  const both = [knock(t, wait), knock(t, wait)] as const;
  const fates = both.map(fate);
  const socket = await wait.peer;
  t.after(() => socket.destroy());
  const first = both.findIndex(({ localPort }) => localPort === socket.remotePort);
  assert.notEqual(first, -1);
  assert.match((await fates[1 - first]) ?? "", /^ECONN(RESET|REFUSED)$/);
});

test("a flood of strangers", async (t) => {
  await t.test("costs a hundred looks a second; afterwards the expected one is taken", async (t) => {
    let looks = 0;
    const accepts = (address: string) => {
      if (address === STRANGER) looks += 1;
      return address === EXPECTED;
    };
    const wait = await bound(t, { accepts });
    const began = performance.now();
    const strangers = Array.from({ length: 300 }, () => knock(t, wait, STRANGER));
    for (const each of await Promise.all(strangers.map(fate))) assert.match(each, /^ECONN(RESET|REFUSED)$/);
    const seconds = 1 + Math.floor((performance.now() - began) / 1000);
    assert.ok(looks >= 100 && looks <= 100 * seconds, `${looks} looks in ${seconds} s`);
    // Refused while the port is closed, as anybody would be.
    for (;;) {
      const theirs = knock(t, wait);
      const found = await Promise.race([wait.peer, fate(theirs)]);
      if (typeof found !== "string") {
        assert.equal(found.remotePort, theirs.localPort);
        found.destroy();
        return;
      }
      assert.equal(found, "ECONNREFUSED");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  await t.test("and another program takes the port meanwhile: an error", async (t) => {
    const thief = createServer();
    t.after(() => thief.close());
    let looks = 0;
    const accepts = () => {
      looks += 1;
      // In this turn the port is closed, in the next it is free.
      if (looks === 100) setImmediate(() => thief.listen(wait.bnd.port, "127.0.0.1"));
      return false;
    };
    const wait = await bound(t, { accepts });
    for (let count = 0; count < 150; count += 1) knock(t, wait, STRANGER).on("error", () => {});
    const words = /^127\.0\.0\.1:\d+ was closed because of too many strangers and .*EADDRINUSE$/;
    await assert.rejects(wait.peer, isNetworkError("BIND_FAILED", 0x01, words));
  });

  await t.test("and the end of the wait while the port is closed", async (t) => {
    const wait = await bound(t, { accepts: () => false });
    const strangers = Array.from({ length: 150 }, () => knock(t, wait, STRANGER));
    await Promise.all(strangers.map(fate));
    wait.close();
    await assert.rejects(wait.peer, isNetworkError("BIND_ABORTED", 0x01));
    await assertRefused(t, wait);
  });
});

test("a range of ports", async (t) => {
  const ports = { first: 20_000, last: 20_007 };
  const inRange = { address: RANGE_HOST, ports };
  const taken = async () => {
    const waits = [];
    for (let port = ports.first; port <= ports.last; port += 1) waits.push(await bound(t, inRange));
    return waits;
  };

  await t.test("is used to the last port; then it is full: REP 0x01", async (t) => {
    const waits = await taken();
    const numbers = waits.map(({ bnd }) => bnd.port);
    assert.deepEqual(numbers.toSorted(), [20_000, 20_001, 20_002, 20_003, 20_004, 20_005, 20_006, 20_007]);
    const words = /^can't listen on 127\.[\d.]+ ports 20000 to 20007: none of those tried is free$/;
    await assert.rejects(bound(t, inRange), isNetworkError("BIND_FAILED", 0x01, words));
    // A closed one is free again, and found.
    waits[3]?.close();
    assert.equal((await bound(t, inRange)).bnd.port, numbers[3]);
  });

  await t.test("is used in an order that differs each time", async (t) => {
    // One in 8! that two are the same; one in 8!^3 that all four are.
    const orders = new Set<string>();
    for (let count = 0; count < 4; count += 1) {
      const waits = [];
      for (let port = ports.first; port <= ports.last; port += 1)
        waits.push(await bound(t, { ...inRange, address: FULL_HOST }));
      orders.add(String(waits.map(({ bnd }) => bnd.port)));
      for (const wait of waits) wait.close();
    }
    assert.ok(orders.size > 1, [...orders].join("\n"));
  });

  await t.test("that is wide and full is given up after some tries", async (t) => {
    const wide = { first: 21_000, last: 21_399 };
    for (let port = wide.first; port <= wide.last; port += 1) await listen(t, FULL_HOST, port);
    await assert.rejects(bound(t, { address: FULL_HOST, ports: wide }), isNetworkError("BIND_FAILED", 0x01));
  });
});

test("an address that this host does not have: REP 0x01", async (t) => {
  for (const ports of [null, { first: 20_000, last: 29_999 }]) {
    await assert.rejects(
      bound(t, { address: "192.0.2.1", ports }),
      isNetworkError("BIND_FAILED", 0x01, /^can't listen on 192\.0\.2\.1.*: EADDRNOTAVAIL$/),
    );
  }
});

test("nobody comes in time: REP 0x06", async (t) => {
  const wait = await bound(t, { timeout: 50 });
  const words = new RegExp(
    `^nobody who was expected connected to 127\\.0\\.0\\.1:${wait.bnd.port} within 0\\.05 s$`,
  );
  await assert.rejects(wait.peer, isNetworkError("BIND_TIMEOUT", 0x06, words));
  await assertRefused(t, wait);
});

test("only strangers come in time: REP 0x06, and how many", async (t) => {
  const wait = await bound(t, { timeout: 1500 });
  assert.equal(await fate(knock(t, wait, STRANGER)), "ECONNRESET");
  await assert.rejects(
    wait.peer,
    isNetworkError("BIND_TIMEOUT", 0x06, /; connections from elsewhere, all reset: 1$/),
  );
});

test("given up by the caller", async (t) => {
  await t.test("before", async (t) => {
    await assert.rejects(bound(t, { signal: AbortSignal.abort() }), isNetworkError("BIND_ABORTED", 0x01));
  });

  await t.test("while it begins to listen", async (t) => {
    const controller = new AbortController();
    const beginning = bound(t, { signal: controller.signal });
    controller.abort();
    await assert.rejects(beginning, isNetworkError("BIND_ABORTED", 0x01));
  });

  await t.test("while it waits", async (t) => {
    const controller = new AbortController();
    const wait = await bound(t, { signal: controller.signal });
    controller.abort();
    await assert.rejects(wait.peer, isNetworkError("BIND_ABORTED", 0x01));
    await assertRefused(t, wait);
  });

  await t.test("closed, twice, by a caller that does not look at the peer", async (t) => {
    const wait = await bound(t);
    wait.close();
    wait.close();
    await assertRefused(t, wait);
  });

  await t.test("after the connection was taken: nothing changes", async (t) => {
    const controller = new AbortController();
    const wait = await bound(t, { signal: controller.signal });
    knock(t, wait);
    const socket = await wait.peer;
    t.after(() => socket.destroy());
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
    controller.abort();
    wait.close();
    wait.close();
    assert.equal(await wait.peer, socket);
    assert.equal(socket.destroyed, false);
  });

  await t.test("and leaves no timer behind", async () => {
    assert.ok(!process.getActiveResourcesInfo().includes("Timeout"));
  });
});
