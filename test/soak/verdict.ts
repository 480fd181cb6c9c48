/** What a server holds as time goes by, and whether that grows. */

export interface Sample {
  /** Since the beginning. */
  seconds: number;
  /** Octets in RAM. */
  memory: number;
  /** Octets; what could be collected was. */
  heap: number;
  external: number;
  descriptors: number;
  threads: number;
  /** Sessions, about. */
  open: number;
  /** p99 of the event loop's delay, in milliseconds. */
  late: number;
}

export interface Finding {
  what: string;
  good: boolean;
}

/** Of the samples, those in which caches, pools and the heap find their size. */
const WARM_UP = 0.2;
/** Fewer samples tell nothing. */
const LEAST = 10;
/** What the two halves may differ by: sessions come and go. */
const SHARE = 0.05;
const OCTETS = 8 * 2 ** 20;

/** Compares the second half with the first, by their medians. */
export function growth(name: string, samples: readonly Sample[], value: (sample: Sample) => number): Finding {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP)).map(value);
  if (warm.length < LEAST) return { what: `${name}: too few samples to tell`, good: true };
  const middle = warm.length / 2;
  const [first, second] = [median(warm.slice(0, Math.floor(middle))), median(warm.slice(Math.ceil(middle)))];
  return {
    what: `${name}: ${megabytes(first)} MB in the first half, ${megabytes(second)} MB in the second`,
    good: second - first <= Math.max(first * SHARE, OCTETS),
  };
}

export function sampleLine(sample: Sample): string {
  const { seconds, memory, heap, external, descriptors, threads, open, late } = sample;
  return [
    `${seconds.toFixed(0).padStart(4)} s`,
    `${megabytes(memory)} MB`,
    `heap ${megabytes(heap)}`,
    `external ${megabytes(external)}`,
    `${descriptors} descriptors`,
    `${threads} threads`,
    `${open} open`,
    `loop p99 ${late.toFixed(1)} ms`,
  ].join("  ");
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] as number;
}

function megabytes(octets: number): string {
  return (octets / 2 ** 20).toFixed(1);
}
