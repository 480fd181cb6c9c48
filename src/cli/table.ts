/** Lines of columns. What a terminal would take for more than text is `?`: names are what clients have sent. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((row) =>
    row.map((text) => text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "?")),
  );
  const widths = head.map((_, column) => Math.max(...lines.map((row) => (row[column] ?? "").length)));
  const padded = lines.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${padded.join("\n")}\n`;
}
