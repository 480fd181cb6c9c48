/** Datagrams through one association. */
import { ENCTYPES } from "../support/enctypes.js";
import { type Benchmark, type Options, type Row, ratio } from "./support/benchmark.js";
import { Lab, type Level, type Target } from "./support/lab.js";
import { type Crypto, measureCrypto } from "./support/peer.js";

const SIZE = 512;

interface Cost {
  rate: number;
  server: number;
  client: number;
  lost: number;
}

export const udp: Benchmark = {
  name: "udp",
  about:
    "datagrams of 512 octets to an origin that sends them back, through one association, 32 under way; CPU is the server's for one there and back. The crypto is one gss_wrap and one gss_unwrap",
  async run(options) {
    const lab = await Lab.start(options, ENCTYPES[0]);
    try {
      const crypto = await measureCrypto(lab.env, {
        size: SIZE,
        bytes: options.scale.datagrams * 100,
        contexts: 1,
      });
      const costs: [target: Target, level: Level, cost: Cost][] = [];
      for (const level of ["direct", "clear", "none", "integrity", "confidentiality"] as const) {
        for (const target of [lab.relay, ...lab.servers]) {
          const cost = await best(lab, target, level, options);
          if (cost !== null) costs.push([target, level, cost]);
        }
      }
      const find = (name: string, level: Level) =>
        costs.find(([target, at]) => target.name === name && at === level)?.[2].server;
      return costs.map(([{ name }, level, { rate, server, client, lost }]): Row => {
        return {
          work: level === "direct" ? name : `${name} ${level}`,
          figures: {
            "a second": rate,
            "CPU µs": server,
            "client µs": client,
            lost,
            "× relay": ratio(server, find("relay", "direct")),
            "× no GSS": ratio(server, find(name, "clear")),
            "× crypto": ratio(server, cryptoCost(crypto, level)),
            ...Object.fromEntries(
              options.dantes.map((peer) => [`× ${peer.name}`, ratio(server, find(peer.name, level))]),
            ),
          },
        };
      });
    } finally {
      await lab.stop();
    }
  },
};

/** Microseconds for a datagram and its answer. */
function cryptoCost(crypto: Crypto, level: Level): number | null {
  if (level !== "integrity" && level !== "confidentiality") return null;
  return (crypto[level].wrapMessage + crypto[level].unwrapMessage) * 1e6;
}

async function best(
  lab: Lab,
  target: Target,
  level: Level,
  { scale, progress }: Options,
): Promise<Cost | null> {
  const runs: Cost[] = [];
  for (let repeat = 0; repeat < scale.repeats; repeat += 1) {
    const count = scale.datagrams;
    const measured = await lab.measure("udp", target, level, "udp", { count, size: SIZE });
    if (measured === null) return null;
    const { result, server, client } = measured;
    const received = result.received as number;
    runs.push({
      rate: received / (result.seconds as number),
      server: (server / received) * 1e6,
      client: (client / received) * 1e6,
      lost: result.lost as number,
    });
  }
  progress(`udp: ${target.name} ${level}`);
  return {
    rate: Math.max(...runs.map(({ rate }) => rate)),
    server: Math.min(...runs.map(({ server }) => server)),
    client: Math.min(...runs.map(({ client }) => client)),
    lost: Math.min(...runs.map(({ lost }) => lost)),
  };
}
