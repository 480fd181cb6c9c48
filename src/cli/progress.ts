/** How far a transfer is, in one line of the terminal that standard error is; nothing anywhere else. */
import type { Carried } from "../client/stdio-relay.js";

const EVERY = 500;

const CLEAR_REST = "\x1b[K";

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** @returns null where there is no such terminal, or no pipe or file that data comes from or goes to */
export function showProgress(carried: () => Carried): { end(): void } | null {
  const { stdin, stdout, stderr } = process;
  if (!stderr.isTTY || (stdin.isTTY && stdout.isTTY)) return null;
  const began = performance.now();
  let last = { at: began, octets: 0 };
  const show = (since: { at: number; octets: number }, end: string) => {
    const { up, down } = carried();
    const now = performance.now();
    stderr.write(
      `\r${progressLine({ up, down }, since.octets, now - since.at, now - began)}${CLEAR_REST}${end}`,
    );
    last = { at: now, octets: up + down };
  };
  const timer = setInterval(() => show(last, ""), EVERY);
  timer.unref();
  return {
    end: () => {
      clearInterval(timer);
      show({ at: began, octets: 0 }, "\n");
    },
  };
}

/**
 * @param before octets that had been carried, both ways, `span` milliseconds ago: what the rate is taken from
 * @param duration milliseconds from the beginning
 */
export function progressLine({ up, down }: Carried, before: number, span: number, duration: number): string {
  const rate = ((up + down - before) * 1000) / Math.max(1, span);
  const seconds = Math.floor(duration / 1000);
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return `${amount(up)} sent, ${amount(down)} received, ${amount(rate)}/s, ${clock}`;
}

function amount(octets: number): string {
  let unit = 0;
  let value = octets;
  // What would be rounded to four digits is one of the next unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : value.toPrecision(3)} ${UNITS[unit]}`;
}
