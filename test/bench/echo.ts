/** Small messages there and back, alone and beside sessions that carry all they can. */
import { ENCTYPES } from "../support/enctypes.js";
import { type Benchmark, type Options, type Row, ratio } from "./support/benchmark.js";
import { Lab, type Level, type Target } from "./support/lab.js";
import type { Load, Result } from "./support/peer.js";

const SIZE = 64;
const BULK = 4;
/** More than is carried before the messages are through. */
const ENDLESS = 1e15;

interface Trip {
  target: Target;
  level: Level;
  beside: boolean;
  result: Result;
}

export const echo: Benchmark = {
  name: "echo",
  about:
    "microseconds for a message of 64 octets to the destination and back, one at a time, idle and beside 4 connections of the same level that carry down what they can. Sealing and opening are the client's own and not in it",
  async run(options) {
    const lab = await Lab.start(options, ENCTYPES[0]);
    try {
      const trips: Trip[] = [];
      for (const beside of [false, true]) {
        for (const level of ["direct", "clear", "confidentiality"] as const) {
          for (const target of [lab.relay, ...lab.servers]) {
            const result = await best(lab, target, level, beside, options);
            if (result !== null) trips.push({ target, level, beside, result });
          }
        }
      }
      return trips.map((trip) => rowOf(trip, trips, options));
    } finally {
      await lab.stop();
    }
  },
};

function rowOf({ target: { name }, level, beside, result }: Trip, trips: Trip[], options: Options): Row {
  const find = (other: string, at: Level) =>
    trips.find((trip) => trip.target.name === other && trip.level === at && trip.beside === beside)?.result;
  const work = `${level === "direct" ? name : `${name} ${level}`} ${beside ? "beside bulk" : "idle"}`;
  const peers = options.dantes.map((peer) => [peer.name, find(peer.name, level)] as const);
  return {
    work,
    figures: {
      trips: result.count as number,
      "p50 µs": result.p50 as number,
      "p99 µs": result.p99 as number,
      "p99.9 µs": result.p999 as number,
      "p50 × relay": ratio(result.p50, find("relay", "direct")?.p50),
      "p99 × relay": ratio(result.p99, find("relay", "direct")?.p99),
      ...Object.fromEntries(
        peers.flatMap(([peer, theirs]) => [
          [`p50 × ${peer}`, ratio(result.p50, theirs?.p50)],
          [`p99 × ${peer}`, ratio(result.p99, theirs?.p99)],
        ]),
      ),
    },
  };
}

/** The run with the lowest p99, whole. */
async function best(lab: Lab, target: Target, level: Level, beside: boolean, options: Options) {
  const { scale, progress } = options;
  const runs: Result[] = [];
  for (let repeat = 0; repeat < scale.repeats; repeat += 1) {
    const bulk = beside ? await carry(lab, target, level) : null;
    try {
      const measured = await lab.measure("echo", target, level, "echo", {
        count: scale.echoes,
        seconds: scale.echoSeconds,
        size: SIZE,
      });
      if (measured === null) return null;
      runs.push(measured.result);
    } finally {
      await bulk?.stop();
    }
  }
  progress(`echo: ${target.name} ${level} ${beside ? "beside bulk" : "idle"}`);
  return runs.reduce((least, run) => ((run.p99 as number) < (least.p99 as number) ? run : least));
}

async function carry(lab: Lab, target: Target, level: Level): Promise<Load | null> {
  const load = await lab.prepare("bulk-down", target, level, "source", {
    connections: BULK,
    bytes: ENDLESS,
  });
  load?.begin();
  return load;
}
