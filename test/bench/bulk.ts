/** Octets carried as fast as they go: down and up, over several connections, at each level and with either enctype. */
import { ENCTYPES } from "../support/enctypes.js";
import { type Benchmark, type Options, type Row, ratio } from "./support/benchmark.js";
import { Lab, LEVELS, type Level, type Target } from "./support/lab.js";
import { type Crypto, measureCrypto } from "./support/peer.js";

const GB = 1e9;
/** Octets of a small message: what our own client seals at a time. Other clients send as much as a token holds. */
const SMALL = 4096;
const DIRECTIONS = ["down", "up"] as const;
type Direction = (typeof DIRECTIONS)[number];

interface Cost {
  /** MB a second. */
  speed: number;
  /** Seconds on a processor for a GB. */
  server: number;
  client: number;
}

interface Work {
  level: Level;
  direction: Direction;
  connections: number;
  /** Of the client's messages; 0: as large as a token can hold. */
  size: number;
}

export const bulk: Benchmark = {
  name: "bulk",
  about:
    "octets carried as fast as they go. CPU is that of the server's processes, for a GB; the client's (with the origin's) stands beside it",
  async run(options) {
    const rows: Row[] = [];
    for (const enctype of ENCTYPES) {
      const lab = await Lab.start(options, enctype);
      try {
        rows.push(...(await withEnctype(lab, enctype, options)));
      } finally {
        await lab.stop();
      }
    }
    return rows;
  },
};

async function withEnctype(lab: Lab, enctype: string, options: Options): Promise<Row[]> {
  const { scale } = options;
  const first = enctype === ENCTYPES[0];
  const crypto = await measureCrypto(lab.env, { size: 0, bytes: scale.sealedBytes / 4, contexts: 1 });
  const rows: Row[] = [];
  for (const direction of DIRECTIONS) {
    for (const connections of scale.connections) {
      const costs: { target: Target; level: Level; size: number; cost: Cost }[] = [];
      const measure = async (target: Target, level: Level, size = 0) => {
        const cost = await best(lab, target, { level, direction, connections, size }, options);
        if (cost !== null) costs.push({ target, level, size, cost });
      };
      const cpu = (name: string, level: Level, size = 0) =>
        costs.find((one) => one.target.name === name && one.level === level && one.size === size)?.cost
          .server;
      await measure(lab.relay, "direct");
      for (const level of LEVELS) {
        // What is not sealed costs the same whatever the keys are. Without GSS is what the others are compared with.
        if (!first && level === "none") continue;
        for (const server of lab.servers) {
          await measure(server, level);
          if (direction === "up" && sealed(level)) await measure(server, level, SMALL);
        }
      }
      for (const { target, level, size, cost } of costs) {
        if (!first && !sealed(level)) continue;
        const server = target.name;
        const keys = sealed(level) ? ` ${shortName(enctype)}` : "";
        const cut = size === 0 ? "" : ", small tokens";
        rows.push({
          work: `${server}${level === "direct" ? "" : ` ${level}`}${keys} ${direction} ${connections}${cut}`,
          figures: {
            "MB/s": cost.speed,
            "CPU s/GB": cost.server,
            "client s/GB": cost.client,
            "× relay": ratio(cost.server, cpu("relay", "direct")),
            "× no GSS": ratio(cost.server, cpu(server, "clear")),
            "× crypto": sealed(level) ? ratio(cost.server, cryptoCost(crypto, level, direction)) : null,
            ...Object.fromEntries(
              options.dantes.map((peer) => [
                `× ${peer.name}`,
                ratio(cost.server, cpu(peer.name, level, size)),
              ]),
            ),
          },
        });
      }
    }
  }
  return [...cryptoRows(crypto, enctype), ...rows];
}

async function best(
  lab: Lab,
  target: Target,
  work: Work,
  { scale, progress }: Options,
): Promise<Cost | null> {
  const { level, direction, connections, size } = work;
  const bytes = sealed(level) ? scale.sealedBytes : scale.clearBytes;
  const to = direction === "down" ? "source" : "sink";
  const runs: Cost[] = [];
  for (let repeat = 0; repeat < scale.repeats; repeat += 1) {
    const measured = await lab.measure(`bulk-${direction}`, target, level, to, { connections, bytes, size });
    if (measured === null) return null;
    const { result, server, client } = measured;
    const carried = result.bytes as number;
    runs.push({
      speed: carried / 1e6 / (result.seconds as number),
      server: (server / carried) * GB,
      client: (client / carried) * GB,
    });
  }
  progress(`bulk: ${target.name} ${level} ${direction} ${connections} ${size}`);
  return {
    speed: Math.max(...runs.map(({ speed }) => speed)),
    server: Math.min(...runs.map(({ server }) => server)),
    client: Math.min(...runs.map(({ client }) => client)),
  };
}

function sealed(level: Level): level is "integrity" | "confidentiality" {
  return level === "integrity" || level === "confidentiality";
}

function cryptoCost(crypto: Crypto, level: "integrity" | "confidentiality", direction: Direction): number {
  return crypto[level][direction === "down" ? "wrap" : "unwrap"];
}

/** The yardstick: MIT's own calls, in one thread. */
function cryptoRows(crypto: Crypto, enctype: string): Row[] {
  return (["integrity", "confidentiality"] as const).flatMap((level) =>
    (["wrap", "unwrap"] as const).map((call) => ({
      work: `gss_${call} ${level} ${shortName(enctype)}`,
      figures: { "MB/s": GB / 1e6 / crypto[level][call], "CPU s/GB": crypto[level][call] },
    })),
  );
}

/** `aes256-sha1`, `aes256-sha384`. */
export function shortName(enctype: string): string {
  return enctype.replace("-cts-hmac-sha1-96", "-sha1").replace(/-cts-hmac-(sha\d+)-\d+$/, "-$1");
}
