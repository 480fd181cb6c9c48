/** Sessions opened and closed, sixteen at a time. */

import { ENCTYPES } from "../support/enctypes.js";
import { type Benchmark, type Options, type Row, ratio } from "./support/benchmark.js";
import { Lab, type Level, type Target } from "./support/lab.js";
import { measureCrypto } from "./support/peer.js";

const CONNECTIONS = 16;

/** The client makes contexts' first tokens beforehand. What a level costs is in each: none stands for GSS without it. */
const LEVELS: readonly Level[] = ["direct", "clear", "none", "confidentiality"];

export const handshakes: Benchmark = {
  name: "handshakes",
  about:
    "sessions opened (GSS context, level, CONNECT) and ended by the destination at once, 16 at a time; CPU is the server's for one. The relay has a connection and its end to carry; one init and one accept of MIT's are the crypto",
  async run(options) {
    const lab = await Lab.start(options, ENCTYPES[0]);
    try {
      return await measureAll(lab, options);
    } finally {
      await lab.stop();
    }
  },
};

async function measureAll(lab: Lab, options: Options): Promise<Row[]> {
  const { scale } = options;
  const crypto = await measureCrypto(lab.env, { size: 1000, bytes: 1000, contexts: scale.phases });
  const costs: { target: Target; level: Level; rate: number; server: number; client: number }[] = [];
  for (const level of LEVELS) {
    for (const target of [lab.relay, ...lab.servers]) {
      const cost = await best(lab, target, level, options);
      if (cost !== null) costs.push({ target, level, ...cost });
    }
  }
  const find = (name: string, level: Level) =>
    costs.find((cost) => cost.target.name === name && cost.level === level);
  return [
    { work: "init + accept", figures: { "a second": 1 / crypto.context, "CPU ms": crypto.context * 1e3 } },
    ...costs.map(({ target: { name }, level, rate, server, client }) => ({
      work: level === "direct" ? name : `${name} ${level}`,
      figures: {
        "a second": rate,
        "CPU ms": server,
        "client ms": client,
        "× relay": ratio(server, find("relay", "direct")?.server),
        "× no GSS": ratio(server, find(name, "clear")?.server),
        "× crypto": level === "direct" || level === "clear" ? null : ratio(server, crypto.context * 1e3),
        ...Object.fromEntries(
          options.dantes.map((peer) => [`× ${peer.name}`, ratio(server, find(peer.name, level)?.server)]),
        ),
      },
    })),
  ];
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
