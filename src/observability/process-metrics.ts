/**
 * The process itself, under the names that every client library of Prometheus gives it. Not by prom-client's own
 * collection: its event-loop delays are quantiles since the last scrape, which neither two who scrape nor several workers
 * can share, and one of its gauges is called a total.
 */
import { readdir, readFile } from "node:fs/promises";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** How often the event loop's delay is looked at, in ms. */
const SAMPLE = 100;

/** Seconds; a timer is late by up to 2 ms for reasons of its own. */
const DELAYS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** @returns what stops it */
export function processMetrics(registry: Registry): () => void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number | null | Promise<number | null>) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const value = await read();
        if (value !== null) this.set(value);
        else this.remove();
      },
    });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "CPU time of all threads",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: "process_start_time_seconds",
    help: "When the process began, in Unix time",
    registers,
    aggregator: "min",
  }).set(performance.timeOrigin / 1000);
  gauge("process_resident_memory_bytes", "Memory that is resident", () => process.memoryUsage.rss());
  gauge("process_open_fds", "Open file descriptors", openDescriptors);
  gauge("process_max_fds", "Limit on open file descriptors", maxDescriptors);
  gauge("nodejs_heap_size_used_bytes", "Memory of the JavaScript heap that is in use", () => {
    return process.memoryUsage().heapUsed;
  });
  gauge("nodejs_external_memory_bytes", "Memory of buffers and of the addon", () => {
    return process.memoryUsage().external;
  });
  return watchEventLoop(registry);
}

function watchEventLoop(registry: Registry): () => void {
  const delay = new Histogram({
    name: "gssocks_event_loop_delay_seconds",
    help: `How late the event loop came to a timer, looked at every ${SAMPLE} ms`,
    buckets: DELAYS,
    registers: [registry],
  });
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    delay.observe(Math.max(0, now - last - SAMPLE) / 1000);
    last = now;
  }, SAMPLE);
  timer.unref();
  return () => clearInterval(timer);
}

/** Only Linux tells; the one with which they are read is not counted. */
async function openDescriptors(): Promise<number | null> {
  const found = await readdir("/proc/self/fd").catch(() => null);
  return found === null ? null : found.length - 1;
}

async function maxDescriptors(): Promise<number | null> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? null : Number(soft);
}
