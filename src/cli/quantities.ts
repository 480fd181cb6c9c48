/** Quantities in few characters, for tables. */

/** `59s`, `59m59s`, `23h59m`, `12d23h`. */
export function duration(seconds: number): string {
  const [s, m, h, d] = [seconds, seconds / 60, seconds / 3600, seconds / 86_400].map(Math.floor) as [
    number,
    number,
    number,
    number,
  ];
  if (d > 0) return `${d}d${h % 24}h`;
  if (h > 0) return `${h}h${m % 60}m`;
  return m > 0 ? `${m}m${s % 60}s` : `${s}s`;
}

/** `999B`, `9.9kB`, `123MB`. */
export function amount(octets: number): string {
  let value = octets;
  let unit = 0;
  for (; value >= 999.5 && unit < UNITS.length - 1; unit += 1) value /= 1000;
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)}${UNITS[unit]}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
