/** What a benchmark is, and what comes out of it. */
import type { DanteBuild } from "./dante.js";

export interface Options {
  scale: Scale;
  /** Processes that gssocks serves with. */
  workers: number;
  /** Peers to compare with. */
  dantes: readonly DanteBuild[];
  /** Told as work goes on. */
  progress: (text: string) => void;
}

/** How much is done. */
export interface Scale {
  /** Of each measurement; the best counts, since what disturbs only makes it worse. */
  repeats: number;
  /** Carried sealed, in all connections together; and not sealed. */
  sealedBytes: number;
  clearBytes: number;
  /** At once. */
  connections: readonly number[];
  handshakes: number;
  /** Opened one after the other. */
  phases: number;
  echoes: number;
  /** At most, for that many echoes. */
  echoSeconds: number;
  idle: readonly number[];
  /** Sessions that are open side by side and carry something in turn. */
  side: readonly number[];
  datagrams: number;
}

export const FULL: Scale = {
  repeats: 3,
  sealedBytes: 512e6,
  clearBytes: 1e9,
  connections: [1, 4, 16],
  handshakes: 8000,
  phases: 1000,
  echoes: 20_000,
  echoSeconds: 10,
  idle: [1000, 10_000],
  side: [10, 100, 1000, 10_000],
  datagrams: 50_000,
};

export const QUICK: Scale = {
  repeats: 1,
  sealedBytes: 64e6,
  clearBytes: 256e6,
  connections: [1, 16],
  handshakes: 1000,
  phases: 200,
  echoes: 3000,
  echoSeconds: 3,
  idle: [1000],
  side: [10, 100, 1000],
  datagrams: 5000,
};

/** Enough to see that every figure comes, and that no octet is lost. */
export const TINY: Scale = {
  repeats: 1,
  sealedBytes: 1e6,
  clearBytes: 1e6,
  connections: [1, 4],
  handshakes: 32,
  phases: 5,
  echoes: 50,
  echoSeconds: 3,
  idle: [20],
  side: [10, 20],
  datagrams: 100,
};

/**
 * Figures by column; a name says the unit, or `× WHAT` for how many times that much it is. null: that can't be had here.
 */
export type Figures = Readonly<Record<string, number | null>>;

export interface Row {
  /** Who and what, as `gssocks confidentiality aes256-sha1 down 4`. */
  readonly work: string;
  readonly figures: Figures;
}

export interface Benchmark {
  readonly name: string;
  /** One sentence: what is measured, and how. */
  readonly about: string;
  run(options: Options): Promise<Row[]>;
}

/** null where either is missing, or too little work was done to be seen. */
export function ratio(value: number | null | undefined, unit: number | null | undefined): number | null {
  return value == null || unit == null || unit === 0 ? null : value / unit;
}
