/** What the client can do by itself, so that one can tell what the other figures are worth. */
import { ENCTYPES } from "../support/enctypes.js";
import type { Benchmark, Row } from "./support/benchmark.js";
import { Lab } from "./support/lab.js";

export const client: Benchmark = {
  name: "client",
  about:
    "the client straight at the origin, with nobody between: what both can do at most, and the CPU of both, a GB or one. What the client spends when it seals is beside each figure of the other tables",
  async run(options) {
    const { scale } = options;
    const lab = await Lab.start(options, ENCTYPES[0]);
    const measure = async (
      mode: string,
      to: "source" | "sink" | "bye" | "udp",
      args: Record<string, number>,
    ) => {
      const measured = await lab.measure(mode, lab.straight, "direct", to, args);
      options.progress(`client: ${mode}`);
      // The origin is both the server and part of the client here.
      return { seconds: measured?.result.seconds ?? 0, cpu: measured?.client ?? 0 };
    };
    try {
      const rows: Row[] = [];
      for (const [direction, to] of [
        ["down", "source"],
        ["up", "sink"],
      ] as const) {
        for (const connections of scale.connections) {
          const bytes = scale.clearBytes;
          const { seconds, cpu } = await measure(`bulk-${direction}`, to, { connections, bytes });
          const figures = { "MB/s": bytes / 1e6 / seconds, "CPU s/GB": cpu / (bytes / 1e9) };
          rows.push({ work: `${direction} ${connections}`, figures });
        }
      }
      const count = scale.handshakes;
      const opened = await measure("handshakes", "bye", { connections: 16, count });
      const datagrams = await measure("udp", "udp", { count: scale.datagrams, size: 512 });
      return [
        ...rows,
        { work: "connections", figures: one(count, opened) },
        { work: "datagrams", figures: one(scale.datagrams, datagrams) },
      ];
    } finally {
      await lab.stop();
    }
  },
};

function one(count: number, { seconds, cpu }: { seconds: number; cpu: number }) {
  return { "a second": count / seconds, "CPU µs": (cpu / count) * 1e6 };
}
