/** Sessions opened and closed, sixteen at a time. */

import { ENCTYPES } from "../support/enctypes.js";
import { type Benchmark, type Options, type Row, ratio } from "./support/benchmark.js";
import { Lab, type Level, type Target } from "./support/lab.js";
import { measureCrypto } from "./support/peer.js";

const CONNECTIONS = 16;

/** The client makes contexts' first tokens beforehand. What a level costs is in each: none stands for GSS without it. */
const LEVELS: readonly Level[] = ["direct", "clear", "none", "confidentiality"];

interface Cost {
  name: string;
  level: Level;
  workers: number;
  /** Sessions a second. */
  rate: number;
  /** Milliseconds on a processor. */
  server: number;
  client: number;
}

export const handshakes: Benchmark = {
  name: "handshakes",
  about:
    "sessions opened (GSS context, level, CONNECT) and ended by the destination at once, 16 at a time; CPU is the server's for one. The relay has a connection and its end to carry; one init and one accept of MIT's are the crypto. gssocks is one process, or several (`workers`)",
  async run(options) {
    const costs: Cost[] = [];
    let context = 0;
    // Where nothing else was asked for, as many processes as the targets speak of.
    for (const workers of options.workers === 1 ? [1, 2] : [options.workers]) {
      const first = workers === options.workers;
      const lab = await Lab.start({ workers, dantes: first ? options.dantes : [] }, ENCTYPES[0]);
      try {
        if (first) context = await contextCost(lab, options);
        const targets = first ? [lab.relay, ...lab.servers] : [lab.gssocks];
        for (const level of LEVELS) {
          for (const target of targets) {
            const cost = await best(lab, target, level, options);
            if (cost !== null) costs.push({ name: target.name, level, workers, ...cost });
          }
        }
      } finally {
        await lab.stop();
      }
    }
    const crypto = {
      work: "init + accept",
      figures: { "a second": 1e3 / context, "CPU ms": context },
    };
    return [crypto, ...costs.map((cost) => rowOf(cost, costs, context, options))];
  },
};

/** Milliseconds. */
async function contextCost(lab: Lab, { scale }: Options): Promise<number> {
  const { context } = await measureCrypto(lab.env, { size: 1000, bytes: 1000, contexts: scale.phases });
  return context * 1e3;
}

function rowOf(
  { name, level, workers, rate, server, client }: Cost,
  costs: Cost[],
  context: number,
  options: Options,
): Row {
  const find = (other: string, at: Level, processes = options.workers) =>
    costs.find((cost) => cost.name === other && cost.level === at && cost.workers === processes)?.server;
  const work = level === "direct" ? name : `${name} ${level}`;
  return {
    work: workers === options.workers ? work : `${work}, ${workers} workers`,
    figures: {
      "a second": rate,
      "CPU ms": server,
      "client ms": client,
      "× relay": ratio(server, find("relay", "direct")),
      "× no GSS": ratio(server, find(name, "clear", workers)),
      "× crypto": level === "direct" || level === "clear" ? null : ratio(server, context),
      ...Object.fromEntries(
        options.dantes.map((peer) => [`× ${peer.name}`, ratio(server, find(peer.name, level))]),
      ),
    },
  };
}

async function best(lab: Lab, target: Target, level: Level, { scale, progress }: Options) {
  const count = scale.handshakes;
  const runs: { rate: number; server: number; client: number }[] = [];
  for (let repeat = 0; repeat < scale.repeats; repeat += 1) {
    const measured = await lab.measure("handshakes", target, level, "bye", {
      connections: CONNECTIONS,
      count,
    });
    if (measured === null) return null;
    const { result, server, client } = measured;
    runs.push({
      rate: count / (result.seconds as number),
      server: (server / count) * 1e3,
      client: (client / count) * 1e3,
    });
  }
  progress(`handshakes: ${target.name} ${level}`);
  return {
    rate: Math.max(...runs.map(({ rate }) => rate)),
    server: Math.min(...runs.map(({ server }) => server)),
    client: Math.min(...runs.map(({ client }) => client)),
  };
}
