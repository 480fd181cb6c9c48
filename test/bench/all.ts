/** The benchmarks, in the order they run. */
import { bulk } from "./bulk.js";
import { client } from "./client.js";
import { echo } from "./echo.js";
import { eventLoop } from "./event-loop.js";
import { handshakes } from "./handshakes.js";
import { idle } from "./idle.js";
import { own } from "./own.js";
import { phases } from "./phases.js";
import { scale } from "./scale.js";
import type { Benchmark } from "./support/benchmark.js";
import { udp } from "./udp.js";

export const BENCHMARKS: readonly Benchmark[] = [
  client,
  bulk,
  own,
  handshakes,
  phases,
  echo,
  idle,
  scale,
  eventLoop,
  udp,
];
