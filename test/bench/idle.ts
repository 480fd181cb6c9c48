/** Sessions that are open and carry nothing. */
import { ENCTYPES } from "../support/enctypes.js";
import { type Benchmark, type Options, type Row, ratio } from "./support/benchmark.js";
import { Lab, type Level } from "./support/lab.js";
import { affordable, memory, processes } from "./support/process-tree.js";

const CONNECTIONS = 16;
export const idle: Benchmark = {
  name: "idle",
  about:
    "sessions opened, 16 at a time, and then left alone: how long opening all of them takes, and the memory of the server's processes for each (what they have in RAM beyond what they had before; pages that processes share count in parts)",
  async run(options) {
    const rows: Row[] = [];
    for (const count of affordable(options.scale.idle)) {
      for (const level of ["clear", "confidentiality"] as const)
        rows.push(...(await opened(level, count, options)));
    }
    return rows;
  },
};

/** In servers that have served nobody yet, since memory once taken is not given back. */
async function opened(level: Level, count: number, options: Options): Promise<Row[]> {
  const lab = await Lab.start(options, ENCTYPES[0]);
  try {
    const found: { name: string; seconds: number; octets: number; before: number; processes: number }[] = [];
    for (const target of lab.servers) {
      const load = await lab.prepare("idle", target, level, "hold", { connections: CONNECTIONS, count });
      if (load === null) continue;
      try {
        const before = memory(target.pid);
        load.begin();
        const { seconds = 0 } = await load.result();
        const octets = memory(target.pid) - before;
        found.push({ name: target.name, seconds, octets, before, processes: processes(target.pid) });
      } finally {
        await load.stop();
      }
      options.progress(`idle: ${target.name} ${level} ${count}`);
    }
    return found.map(({ name, seconds, octets, before, processes }) => ({
      work: `${name} ${level} ${count}`,
      figures: {
        seconds,
        "KB a session": octets / 1024 / count,
        "MB in all": (before + octets) / 2 ** 20,
        processes,
        ...Object.fromEntries(
          options.dantes.map((peer) => [
            `KB × ${peer.name}`,
            ratio(octets, found.find((other) => other.name === peer.name)?.octets),
          ]),
        ),
      },
    }));
  } finally {
    await lab.stop();
  }
}
