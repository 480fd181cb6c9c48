/** A proxy's metrics, as Prometheus reads them: fetched and parsed by code that others wrote. */
import { fileURLToPath } from "node:url";
import { run } from "./processes.js";
import type { ProxyServer } from "./proxy.js";

// Debian's own interpreter: another one on PATH would not have the package.
const PYTHON = "/usr/bin/python3";
const READER = fileURLToPath(new URL("../../../test/interop/peers/metrics.py", import.meta.url));

export type Labels = Readonly<Record<string, string>>;

export interface Family {
  type: string;
  help: string;
  samples: readonly (readonly [name: string, labels: Labels, value: number])[];
}

export class Scrape {
  /** By name; that of a counter without its `_total`, as the parser has it. */
  readonly families: Readonly<Record<string, Family>>;

  constructor(families: Readonly<Record<string, Family>>) {
    this.families = families;
  }

  /** The value of the one sample with exactly these labels; null where there is none. */
  value(name: string, labels: Labels = {}): number | null {
    const found = this.#samples(name).find(([, has]) => same(has, labels));
    return found?.[2] ?? null;
  }

  /** All that are not 0, by their labels' values, as `"gssapi completed"`. */
  counts(name: string): Record<string, number> {
    const samples = this.#samples(name).filter(([, , value]) => value !== 0);
    return Object.fromEntries(samples.map(([, labels, value]) => [Object.values(labels).join(" "), value]));
  }

  #samples(name: string): Family["samples"] {
    return Object.values(this.families).flatMap(({ samples }) => samples.filter(([each]) => each === name));
  }
}

/** The port that the metrics are read on. */
export async function metricsPort(proxy: ProxyServer): Promise<number> {
  return Number((await proxy.waitForLog(({ msg }) => msg === "metrics listening")).port);
}

export async function scrape(port: number): Promise<Scrape> {
  const { stdout } = await run(PYTHON, [READER, `http://127.0.0.1:${port}/metrics`], {
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
  return new Scrape(JSON.parse(stdout) as Record<string, Family>);
}

function same(some: Labels, others: Labels): boolean {
  const text = (labels: Labels) => JSON.stringify(Object.entries(labels).sort());
  return text(some) === text(others);
}
