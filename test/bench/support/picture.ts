/** The server's CPU for a GB as bars, down beside up: what the docs show of `bulk`. */
import type { Row } from "./benchmark.js";
import { format } from "./table.js";

const COLUMN = "CPU s/GB";
const TITLE = "Server CPU for a GB, one connection, in seconds";
const NAMES = 290;
const PLOT = 310;
const GAP = 70;
const BAR = 14;
const LINE = 22;
const TOP = 64;
/** The width of one. */
const FIGURE = 50;

interface Bar {
  label: string;
  seconds: Readonly<Record<Direction, number | null>>;
  /** MIT's own calls for the same octets. */
  crypto: Readonly<Record<Direction, number | null>>;
}

type Direction = "down" | "up";

/** @param rows those of `bulk` */
export function picture(rows: readonly Row[]): string {
  const bars = barsOf(rows);
  const most = Math.max(0, ...bars.flatMap(({ seconds, crypto }) => [...both(seconds), ...both(crypto)]));
  const width = NAMES + 2 * (PLOT + GAP);
  const height = TOP + bars.length * LINE + 16;
  const scale = (value: number) => (most === 0 ? 0 : (value / most) * PLOT);
  const columns = (["down", "up"] as const).flatMap((direction, index) => {
    const left = NAMES + index * (PLOT + GAP);
    return [
      text(left, TOP - 12, direction, 'font-weight="bold"'),
      ...bars.flatMap((bar, line) => {
        const value = bar.seconds[direction];
        if (value === null) return [];
        const y = TOP + line * LINE;
        const fill = bar.label.startsWith("gssocks") ? "#2a6f97" : "#9aa5b1";
        const end = left + scale(value);
        const crypto = bar.crypto[direction];
        const mark = crypto === null ? null : left + scale(crypto);
        // The figure stands beside its bar, or behind a mark that is in its way.
        const covered = mark !== null && mark > end - 2 && mark < end + FIGURE;
        return [
          rect(left, y, scale(value), BAR, fill),
          ...(mark === null ? [] : [rect(mark - 1, y - 3, 2, BAR + 6, "#d1495b")]),
          text((covered ? mark : end) + 6, y + BAR - 3, format(value)),
        ];
      }),
    ];
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">`,
    `<title>${TITLE}</title>`,
    rect(0, 0, width, height, "#ffffff"),
    text(12, 26, TITLE, 'font-size="16"'),
    rect(NAMES + PLOT + GAP, 15, 2, 14, "#d1495b"),
    text(NAMES + PLOT + GAP + 8, 26, "what MIT's gss_wrap or gss_unwrap alone take"),
    ...bars.map(({ label }, line) => text(12, TOP + line * LINE + BAR - 3, label)),
    ...columns,
    "</svg>",
  ].join("\n")}\n`;
}

/** One for each server, level and enctype, in the table's order. */
function barsOf(rows: readonly Row[]): Bar[] {
  const cpu = (work: string) => rows.find((row) => row.work === work)?.figures[COLUMN] ?? null;
  const labels = new Set(
    rows.flatMap(({ work }) => /^(.*) (?:down|up) 1$/.exec(work)?.[1] ?? []).sort(byServer),
  );
  return [...labels].map((label) => {
    const keys = label.replace(/^\S+ ?/, "");
    return {
      label,
      seconds: { down: cpu(`${label} down 1`), up: cpu(`${label} up 1`) },
      crypto: { down: cpu(`gss_wrap ${keys}`), up: cpu(`gss_unwrap ${keys}`) },
    };
  });
}

function both({ down, up }: Readonly<Record<Direction, number | null>>): number[] {
  return [down ?? 0, up ?? 0];
}

/** The yardstick first, gssocks last. */
function byServer(left: string, right: string): number {
  const rank = (label: string) => (label === "relay" ? 0 : label.startsWith("gssocks") ? 2 : 1);
  return rank(left) - rank(right);
}

function rect(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${height}" fill="${fill}"/>`;
}

function text(x: number, y: number, content: string, more = ""): string {
  return `<text x="${round(x)}" y="${y}" fill="#1f2933"${more && ` ${more}`}>${content}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
