/** The benchmarks, in the order they run. */
import { bulk } from "./bulk.js";
import type { Benchmark } from "./support/benchmark.js";

export const BENCHMARKS: readonly Benchmark[] = [bulk];
