/** What a session and a GB cost while more and more sessions are open. */
import { ENCTYPES } from "../support/enctypes.js";
import { type Benchmark, type Options, type Row, ratio } from "./support/benchmark.js";
import { Lab, type Level } from "./support/lab.js";
import { affordable } from "./support/process-tree.js";

/** At a time, of those that are open; as many as the origin has threads for them. */
const CONNECTIONS = 8;
/** Octets that a session carries when it is its turn. */
const TURN = 32_768;

interface Cost {
  level: Level;
  count: number;
  /** Seconds of the server's: one session, one GB. */
  session: number;
  gigabyte: number;
  /** MB a second. */
  speed: number;
}

export const scale: Benchmark = {
  name: "scale",
  about:
    "sessions that are open side by side and carry 32 KiB down, each in its turn, 8 at a time: what the server spends on opening and ending one of them, and on a GB, while so many are open. `× fewest` is beside the first row of the level",
  async run(options) {
    const lab = await Lab.start({ ...options, dantes: [] }, ENCTYPES[0]);
    try {
      const costs: Cost[] = [];
      for (const level of ["clear", "confidentiality"] as const) {
        const counts = affordable(options.scale.side);
        // What the server compiles, it compiles before anything is measured.
        await measure(lab, level, Math.min(...counts), options);
        for (const count of counts) costs.push(await best(lab, level, count, options));
      }
      return costs.map((cost) => rowOf(cost, costs));
    } finally {
      await lab.stop();
    }
  },
};

function rowOf({ level, count, session, gigabyte, speed }: Cost, costs: Cost[]): Row {
  const fewest = costs.find((cost) => cost.level === level);
  return {
    work: `gssocks ${level} ${count}`,
    figures: {
      "CPU ms": session * 1e3,
      "ms × fewest": ratio(session, fewest?.session),
      "CPU s/GB": gigabyte,
      "s/GB × fewest": ratio(gigabyte, fewest?.gigabyte),
      "MB/s": speed,
    },
  };
}

async function best(lab: Lab, level: Level, count: number, options: Options): Promise<Cost> {
  const runs: Cost[] = [];
  for (let repeat = 0; repeat < options.scale.repeats; repeat += 1)
    runs.push(await measure(lab, level, count, options));
  options.progress(`scale: ${level} ${count}`);
  return {
    level,
    count,
    session: Math.min(...runs.map(({ session }) => session)),
    gigabyte: Math.min(...runs.map(({ gigabyte }) => gigabyte)),
    speed: Math.max(...runs.map(({ speed }) => speed)),
  };
}

async function measure(lab: Lab, level: Level, count: number, { scale }: Options): Promise<Cost> {
  const target = lab.gssocks;
  // Few sessions are opened again and again until it can be seen what they cost.
  const rounds = Math.ceil(scale.handshakes / count);
  const turns = Math.ceil(scale.sealedBytes / TURN / count);
  const work = { connections: CONNECTIONS, count, rounds, size: TURN, bytes: turns * count * TURN };
  const load = await lab.prepare("turns", target, level, "turns", work);
  if (load === null) throw new Error(`gssocks has no level ${level}`);
  try {
    const opened = await lab.meter(target, () => load.step("opened"));
    const carried = await lab.meter(target, () => load.step("carried"));
    const ended = await lab.meter(target, () => load.step("ended"));
    return {
      level,
      count,
      session: (opened.server + ended.server) / (rounds * count),
      gigabyte: (carried.server / work.bytes) * 1e9,
      speed: work.bytes / 1e6 / (carried.result.seconds as number),
    };
  } finally {
    await load.stop();
  }
}
