/**
 * What is tested: a client that leaves while its destination is dialed, by the server itself and by another proxy behind
 * it: with nothing more said, behind more octets than are read ahead, after its end; over SOCKS and HTTP, by TCP and by a
 * Unix socket. The dial ends at once, here and at the other proxy, and what the session took of the limits is given back.
 * A client that has only ended what it sends is waited for: test/integration/half-close.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { holdOpen } from "../../src/relay/cut-off.js";
import { chainOf } from "../support/chain.js";
import { scratch } from "../support/identd.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyConfig } from "../support/proxy.js";
import { connectRequest } from "../support/raw-client.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";

/** No deadline is to be what ends a dial, and the place of one session is to be free for the next. */
const CONFIG: ProxyConfig = {
  timeouts: { connect: "10m", handshake: "10m", drain: "0s" },
  limits: { perSource: { sessions: 1 } },
};

/** More than is read ahead, and than the kernel keeps. */
const MUCH = Buffer.alloc(8_000_000);

const CLIENTS: Readonly<Record<string, (port: number) => Buffer>> = {
  SOCKS5: (port) => Buffer.concat([Buffer.of(0x05, 0x01, 0x00), connectRequest("127.0.0.1", port)]),
  "HTTP CONNECT": (port) => Buffer.from(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\n\r\n`),
  "HTTP GET": (port) => Buffer.from(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: a\r\n\r\n`),
  "HTTP POST": (port) =>
    Buffer.from(
      `POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: a\r\nContent-Length: ${MUCH.length}\r\n\r\n`,
    ),
};

/** What is no HTTP is refused at once. */
const BROKEN: readonly [client: string, how: RegExp][] = [
  ["HTTP GET", /much/],
  ["HTTP POST", /end/],
];

/** Is told when the dial has begun. */
type Leave = (socket: Socket, isDialing: Promise<unknown>) => Promise<void>;

const LEAVES: Readonly<Record<"tcp" | "unix", Readonly<Record<string, Leave>>>> = {
  tcp: {
    "by a reset": async (socket, isDialing) => {
      await isDialing;
      socket.resetAndDestroy();
    },
    "by a reset behind much that it sent": async (socket, isDialing) => {
      socket.write(MUCH);
      await isDialing;
      // What is queued here is nobody's any more.
      socket.resetAndDestroy();
    },
    "by a reset after its end": async (socket, isDialing) => {
      // Closing resets, though the end has been sent.
      holdOpen(socket);
      socket.end();
      await isDialing;
      socket.destroy();
    },
  },
  unix: {
    "by closing": async (socket, isDialing) => {
      await isDialing;
      socket.destroy();
    },
    "by closing behind much that it sent": async (socket, isDialing) => {
      socket.write(MUCH);
      await isDialing;
      socket.destroy();
    },
    "by closing after its end": async (socket, isDialing) => {
      socket.end();
      await isDialing;
      socket.destroy();
    },
  },
};

for (const way of ["the server", "another proxy"]) {
  test(`dialed by ${way}`, async (t) => {
    const unix = path.join(await scratch(t), "proxy");
    const open = { methods: ["none"], http: true };
    const entry = {
      listeners: [
        { address: "127.0.0.1:0", ...open },
        { address: `unix:${unix}`, ...open },
      ],
      ...CONFIG,
    };
    const chain = way === "the server" ? null : await chainOf(t, [{}], CONFIG, entry);
    const proxy = chain?.proxies[0] ?? (await proxiedRealm(t, entry)).proxy;
    const last = chain?.last ?? proxy;
    const origin = await UnacceptingOrigin.start();
    t.after(() => origin.stop());

    for (const [client, request] of Object.entries(CLIENTS))
      for (const [kind, ways] of Object.entries(LEAVES))
        for (const [how, leave] of Object.entries(ways)) {
          // What the other proxy sees is the same for both.
          if (kind === "unix" && chain !== null) continue;
          if (BROKEN.some(([who, what]) => client === who && what.test(how))) continue;
          await t.test(`${client}, ${kind}, ${how}`, async () => {
            const [isNew, isNewThere] = [proxy.later(), last.later()];
            const at = kind === "unix" ? { path: unix } : { host: "127.0.0.1", port: proxy.port };
            const socket = connect({ ...at, allowHalfOpen: true }).pause();
            socket.on("error", () => {});
            await once(socket, "connect");
            socket.write(request(origin.port));
            await leave(
              socket,
              last.waitForLog((line) => line.msg === "request" && isNewThere(line)),
            );
            const record = await proxy.audit(isNew);
            assert.match(`${record.outcome} ${record.code}`, /^failed (?:CONNECTION_LOST|CLOSED_EARLY)$/);
            assert.equal(record.destination, `127.0.0.1:${origin.port}`);
            assert.match(String((await last.audit(isNewThere)).code), /^(?:CONNECTION_LOST|CLOSED_EARLY)$/);
          });
        }
  });
}
