/** Rows as a table that Markdown takes and a terminal shows in columns. */
import type { Row } from "./benchmark.js";

export function table(rows: readonly Row[]): string {
  // In the order of those rows that have most.
  const names = rows.map(({ figures }) => Object.keys(figures)).sort((a, b) => b.length - a.length);
  const columns = [...new Set(names.flat())];
  const lines = [
    ["", ...columns],
    ...rows.map(({ work, figures }) => [work, ...columns.map((column) => format(figures[column]))]),
  ];
  const widths = ["", ...columns].map((_, index) =>
    Math.max(...lines.map((line) => (line[index] as string).length)),
  );
  const shown = lines.map(
    (line) =>
      `| ${line.map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0))).join(" | ")} |`,
  );
  const rule = `| ${widths.map((width, index) => (index === 0 ? "-".repeat(Math.max(3, width)) : `${"-".repeat(Math.max(2, width - 1))}:`)).join(" | ")} |`;
  return [shown[0], rule, ...shown.slice(1)].join("\n");
}

/** Three digits tell all that is known. */
export function format(value: number | null | undefined): string {
  if (value == null) return "";
  if (Math.abs(value) >= 100 || value === 0) return String(Math.round(value));
  return value
    .toPrecision(3)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}
