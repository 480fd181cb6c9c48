/** How long a client waits for each step of opening a session. */
import { ENCTYPES } from "../support/enctypes.js";
import { type Benchmark, type Row, ratio } from "./support/benchmark.js";
import { Lab, type Level } from "./support/lab.js";
import type { Result } from "./support/peer.js";

const STEPS = ["method", "context", "level", "request", "all"] as const;

export const phases: Benchmark = {
  name: "phases",
  about:
    "microseconds that a client waits in each step of opening a session, one session after the other (p50; all steps together: p50 and p99). Connecting is in `method`, dialing the destination in `request` (the relay: until the destination's end comes through); the client's own GSS calls are in none",
  async run(options) {
    const lab = await Lab.start(options, ENCTYPES[0]);
    try {
      const rows: Row[] = [];
      const waits = new Map<string, Result>();
      for (const level of ["direct", "clear", "none", "integrity", "confidentiality"] as const) {
        for (const target of [lab.relay, ...lab.servers]) {
          const measured = await lab.measure("phases", target, level, "bye", { count: options.scale.phases });
          if (measured === null) continue;
          options.progress(`phases: ${target.name} ${level}`);
          waits.set(`${target.name} ${level}`, measured.result);
          rows.push({ work: workOf(target.name, level), figures: figuresOf(measured.result, level) });
        }
      }
      const all = (name: string) => waits.get(name)?.all_p50;
      return rows.map(({ work, figures }) => ({
        work,
        figures: {
          ...figures,
          "× relay": ratio(figures["all µs"], all("relay direct")),
          ...Object.fromEntries(
            options.dantes.map(({ name }) => {
              const level = work.split(" ")[1] ?? "direct";
              return [`× ${name}`, ratio(figures["all µs"], all(`${name} ${level}`))];
            }),
          ),
        },
      }));
    } finally {
      await lab.stop();
    }
  },
};

function workOf(name: string, level: Level): string {
  return level === "direct" ? name : `${name} ${level}`;
}

/** p50 of the steps there are. */
function figuresOf(result: Result, level: Level): Record<string, number> {
  const gss = level !== "direct" && level !== "clear";
  const steps = STEPS.filter((step) => gss || (step !== "context" && step !== "level"));
  return {
    ...Object.fromEntries(steps.map((step) => [`${step} µs`, result[`${step}_p50`] as number])),
    "all p99 µs": result.all_p99 as number,
  };
}
