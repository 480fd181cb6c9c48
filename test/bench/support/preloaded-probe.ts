/**
 * Runs in the server, before it: at SIGUSR2 it writes a line to standard error that tells what {@link Probed} holds, and
 * begins anew.
 */
import { writeSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Probed } from "./probe.js";

/** Milliseconds from one look at the clock to the next. They are in what the histogram tells. */
const RESOLUTION = 1;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const histogram = monitorEventLoopDelay({ resolution: RESOLUTION });
histogram.enable();
let count = 0;

process.on("SIGUSR2", () => {
  count += 1;
  const milliseconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION);
  const delay = {
    p50: milliseconds(histogram.percentile(50)),
    p99: milliseconds(histogram.percentile(99)),
    max: milliseconds(histogram.max),
  };
  collect();
  const { heapUsed: heap, external } = process.memoryUsage();
  const probed: Probed = { delay, heap, external };
  writeSync(2, `${JSON.stringify({ msg: "probe", count, ...probed })}\n`);
  // What was just done is no delay of the server's.
  histogram.reset();
});
