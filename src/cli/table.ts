import { plainText } from "./terminal-text.js";

/** Lines of columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((row) => row.map(plainText));
  const widths = head.map((_, column) =>
    lines.reduce((widest, row) => Math.max(widest, (row[column] ?? "").length), 0),
  );
  const padded = lines.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${padded.join("\n")}\n`;
}
