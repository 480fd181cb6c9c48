/** How long anything has to wait for the server's event loop while it does all it can. */
import { ENCTYPES } from "../support/enctypes.js";
import type { Benchmark, Options, Row } from "./support/benchmark.js";
import { Lab } from "./support/lab.js";

const LEVEL = "confidentiality";
const CONNECTIONS = 16;
/** More than is carried before the sessions are through. */
const ENDLESS = 1e15;

export const eventLoop: Benchmark = {
  name: "event-loop",
  about:
    "milliseconds that the server's event loop was late (perf_hooks.monitorEventLoopDelay in the server, looked at every millisecond), at confidentiality, under 16 connections that carry what they can, 16 at a time that are opened and ended, and both",
  async run(options) {
    // Of several processes, each has its own.
    const lab = await Lab.start({ workers: 1, dantes: [] }, ENCTYPES[0], { probed: true });
    try {
      const rows: Row[] = [];
      // What the server compiles, it compiles before anything is measured.
      await opened(lab, options);
      rows.push(await delayed("bulk down", lab, () => carried(lab, "down", options)));
      rows.push(await delayed("bulk up", lab, () => carried(lab, "up", options)));
      rows.push(await delayed("handshakes", lab, () => opened(lab, options)));
      rows.push(await delayed("handshakes beside bulk", lab, () => beside(lab, options)));
      return rows;
    } finally {
      await lab.stop();
    }

    async function delayed(what: string, lab: Lab, work: () => Promise<unknown>): Promise<Row> {
      await lab.probe();
      await work();
      const { p50, p99, max } = (await lab.probe()).delay;
      options.progress(`event-loop: ${what}`);
      return { work: `gssocks ${LEVEL} ${what}`, figures: { "p50 ms": p50, "p99 ms": p99, "max ms": max } };
    }
  },
};

function carried(lab: Lab, direction: "down" | "up", { scale }: Options) {
  const work = { connections: CONNECTIONS, bytes: scale.sealedBytes };
  return lab.measure(`bulk-${direction}`, lab.gssocks, LEVEL, direction === "down" ? "source" : "sink", work);
}

function opened(lab: Lab, { scale }: Options) {
  const work = { connections: CONNECTIONS, count: scale.handshakes };
  return lab.measure("handshakes", lab.gssocks, LEVEL, "bye", work);
}

async function beside(lab: Lab, options: Options) {
  const work = { connections: CONNECTIONS, bytes: ENDLESS };
  const bulk = await lab.prepare("bulk-down", lab.gssocks, LEVEL, "source", work);
  try {
    bulk?.begin();
    await opened(lab, options);
  } finally {
    await bulk?.stop();
  }
}
