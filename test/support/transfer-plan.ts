/** Transfers with all that chance decides about them, and the client that carries one of them out. */
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import type { Duplex } from "node:stream";
import { SocksClient } from "socks";
import { connect, type HostPort } from "../../src/index.js";
import { type Break, BreakingWire } from "./breaking-wire.js";
import { type Exchanged, exchange } from "./exchange.js";
import { Origin } from "./origin.js";
import { pick, type Random } from "./random.js";

/** `clear`: SOCKS5 without GSS-API. */
export const PLAN_LEVELS = ["confidentiality", "integrity", "none", "clear"] as const;
export type PlanLevel = (typeof PLAN_LEVELS)[number];

export interface TransferPlan {
  level: PlanLevel;
  up: Buffer;
  down: Buffer;
  /** Octets of each write, on both sides. */
  chunk: () => number;
  /** null: it is to arrive whole. */
  cut: (Break & { by: "client" | "destination" }) | null;
}

export interface Way {
  /** Of the listener for each level. */
  ports: Readonly<Record<PlanLevel, number>>;
  fastPath: boolean;
}

export interface Transferred {
  plan: TransferPlan;
  /** What the proxy was asked for, `host:port`: no other transfer's. */
  asked: string;
  /** null where the connection broke before there was a session. */
  client: Exchanged | null;
  /** null where nobody came. */
  destination: Exchanged | null;
}

/** Where a transfer of `up` and `down` is cut, so that it can't be over before. */
export function chosenCut(random: Random, up: number, down: number): NonNullable<TransferPlan["cut"]> {
  const by = pick(random, ["client", "destination"] as const);
  const how = pick(random, ["reset", "end"] as const);
  // One of the client's in three falls into the handshake, but not before the proxy has answered: until then there may
  // be no session that could have a record.
  const [least, most] =
    by === "client" ? [GREETING, pick(random, [HANDSHAKE, up + down, up + down])] : [1, up + down];
  return { by, how, after: least + random(Math.min(most, up + down) - least) };
}

/** Client: `05 01 01`, server: `05 01`. */
const GREETING = 5;
/** With GSS-API, about. */
const HANDSHAKE = 2000;

let hosts = 0;

/** A loopback address that nobody had: ports, the system gives again. */
function anotherHost(): string {
  hosts += 1;
  return `127.${1 + (hosts >> 16)}.${(hosts >> 8) & 0xff}.${hosts & 0xff}`;
}

/** @returns when both ends are done; rejects where octets come that were not sent, or a connection breaks that was not cut */
export async function carryOut(plan: TransferPlan, way: Way): Promise<Transferred> {
  const { level, up, down, chunk, cut } = plan;
  const host = anotherHost();
  let atDestination: Promise<Exchanged> | null = null;
  const origin = await Origin.start((socket) => {
    atDestination = exchange(socket, { send: down, expect: up, chunk });
    // Awaited below.
    atDestination.catch(() => {});
  }, host);
  let proxy = { host: "127.0.0.1", port: way.ports[level] };
  let destination = { host, port: origin.port };
  let wire: BreakingWire | null = null;
  try {
    if (cut?.by === "client") {
      wire = await BreakingWire.start(proxy, cut);
      proxy = { ...proxy, port: wire.port };
    }
    if (cut?.by === "destination") {
      wire = await BreakingWire.start(destination, cut, host);
      destination = { host, port: wire.port };
    }
    const client = await open(level, proxy, destination, way.fastPath).then(
      (stream) => exchange(stream, { send: up, expect: down, chunk }),
      (error: Error) => {
        if (wire?.broken) return null;
        throw error;
      },
    );
    // What the client has sent to its end may still be under way.
    const there = await atDestination;
    if (wire?.broken === false) throw new Error(`what was to break did not: ${JSON.stringify(cut)}`);
    return { plan, asked: `${host}:${destination.port}`, client, destination: there };
  } finally {
    wire?.stop();
    await origin.stop();
  }
}

async function open(level: PlanLevel, proxy: HostPort, to: HostPort, fastPath: boolean): Promise<Duplex> {
  if (level !== "clear") {
    const named = { host: "localhost", port: proxy.port };
    return connect({ proxy: named, destination: to, levels: [level], fastPath });
  }
  const socket = connectTcp({ ...proxy, allowHalfOpen: true, noDelay: true });
  await once(socket, "connect");
  const options = { command: "connect", proxy: { ...proxy, type: 5 }, destination: to } as const;
  // Its own sockets are not half open: in the middle of a handshake it waits for what can't come any more.
  const ended = () => socket.destroy();
  socket.once("end", ended);
  await SocksClient.createConnection({ ...options, existing_socket: socket });
  return socket.off("end", ended);
}
