/**
 * What the server is to reach on a machine of two cores, beside what a run measured. The client is an independent one
 * whose own cost is not counted: hence CPU of the server where a speed would tell of both. Nothing fails where a target is
 * missed: figures are for readers, who know what else the machine did.
 */
import type { Row } from "./support/benchmark.js";
import { format } from "./support/table.js";

/** The rows of each benchmark of this run, by its name. */
export type Results = Readonly<Record<string, { readonly rows: readonly Row[] }>>;

export interface Target {
  readonly work: string;
  readonly unit: string;
  readonly bound: "at most" | "at least";
  readonly limit: number;
  /** null: not measured in this run. */
  readonly measured: number | null;
}

/** Where AES and SHA can't be had for many messages side by side, sealing costs more. */
interface Machine {
  lanes: boolean;
}

const [SHA1, SHA384] = ["aes256-sha1", "aes256-sha384"] as const;
const DIRECTIONS = ["down", "up"] as const;
/** At confidentiality, the other enctype family is to be within this of the target. */
const OTHER_FAMILY = 1.5;

export function targets(results: Results, { lanes }: Machine): Target[] {
  const rows = (benchmark: string) => results[benchmark]?.rows ?? [];
  const figure = (benchmark: string, work: string, column: string) =>
    rows(benchmark).find((row) => row.work === work)?.figures[column] ?? null;
  const atMost = (work: string, unit: string, limit: number, measured: number | null): Target => ({
    ...{ work, unit, bound: "at most", limit, measured },
  });
  const atLeast = (work: string, unit: string, limit: number, measured: number | null): Target => ({
    ...{ work, unit, bound: "at least", limit, measured },
  });
  /** The worst of those that were measured. */
  const most = (values: readonly (number | null | undefined)[]) => {
    const known = values.filter((value) => value != null);
    return known.length === 0 ? null : Math.max(...known);
  };

  const sealed = (level: "confidentiality" | "integrity", limits: Record<"down" | "up", number>) =>
    DIRECTIONS.flatMap((direction) =>
      [SHA1, SHA384].flatMap((keys) => {
        const limit = limits[direction] * (keys === SHA384 && level === "confidentiality" ? OTHER_FAMILY : 1);
        // What goes up, clients cut as they like: as large as a token can be, or as our own does.
        const cuts = direction === "down" ? [""] : ["", ", small tokens"];
        return cuts.map((cut) => {
          const work = `gssocks ${level} ${keys} ${direction} 1${cut}`;
          return atMost(work, "CPU s/GB", limit, figure("bulk", work, "CPU s/GB"));
        });
      }),
    );

  /** Of the Dantes there are, the one that does best. */
  const dante = (benchmark: string, what: string, column: string, best: (...values: number[]) => number) => {
    const theirs = rows(benchmark)
      .filter(({ work }) => /^dante(d|-gss) /.test(work) && work.endsWith(` ${what}`))
      .flatMap(({ figures }) => figures[column] ?? []);
    return theirs.length === 0 ? null : best(...theirs);
  };
  const besideDante = (
    benchmark: string,
    what: string,
    column: string,
    best: (...values: number[]) => number,
  ) => {
    const ours = figure(benchmark, `gssocks ${what}`, column);
    const theirs = dante(benchmark, what, column, best);
    return ours === null || theirs === null ? null : ours / theirs;
  };

  const clear = DIRECTIONS.flatMap((direction) => {
    const what = `clear ${direction} 1`;
    return [
      atMost(`gssocks ${what}`, "CPU s/GB", 0.5, figure("bulk", `gssocks ${what}`, "CPU s/GB")),
      atLeast(`gssocks ${what}`, "MB/s, × Dante", 1, besideDante("bulk", what, "MB/s", Math.max)),
    ];
  });

  const own = DIRECTIONS.flatMap((direction) => {
    const work = `gssocks connect confidentiality ${direction}`;
    return [
      atMost(work, "CPU of both, × none", 1.5, figure("own", work, "× none")),
      atLeast(work, "MB/s", 400, figure("own", work, "MB/s")),
    ];
  });

  // What a client on the same cores leaves of them bounds the rate that is measured; CPU says what the server allows.
  const opened = (
    [
      ["", 2500, 1],
      [", 2 workers", 4000, 2],
    ] as const
  ).flatMap(([workers, rate, processes]) => {
    const work = `gssocks confidentiality${workers}`;
    return [
      atLeast(work, "sessions a second", rate, figure("handshakes", work, "a second")),
      atMost(work, "CPU ms", (processes / rate) * 1e3, figure("handshakes", work, "CPU ms")),
    ];
  });

  const idle = rows("idle").filter(({ work }) => work.startsWith("gssocks confidentiality "));
  const all = idle.find(({ work }) => Number(work.split(" ")[2]) > 9000);
  const kept = [
    atMost("an idle session", "KB", 40, most(idle.map(({ figures }) => figures["KB a session"]))),
    atMost("10,000 idle sessions", "MB", 600, all?.figures["MB in all"] ?? null),
    atMost("10,000 idle sessions", "seconds to open", 10, all?.figures.seconds ?? null),
  ];

  const echo = [
    ...(["p50 µs", "p99 µs"] as const).map((column) => {
      const ratio = besideDante("echo", "confidentiality idle", column, Math.min);
      return atMost("echo at confidentiality, idle", `${column}, × Dante`, 1, ratio);
    }),
    atMost(
      "echo at confidentiality, beside bulk",
      "p99 µs",
      1000,
      figure("echo", "gssocks confidentiality beside bulk", "p99 µs"),
    ),
  ];

  const growth = (["ms × fewest", "s/GB × fewest"] as const).map((column) =>
    atMost(
      "10 to 10,000 sessions",
      column === "ms × fewest" ? "CPU of a session, × that beside 10" : "CPU of a GB, × that beside 10",
      1.1,
      most(rows("scale").map(({ figures }) => figures[column])),
    ),
  );
  const late = most(rows("event-loop").map(({ figures }) => figures["p99 ms"]));

  return [
    ...sealed("confidentiality", lanes ? { down: 1.5, up: 1.6 } : { down: 2.4, up: 1.8 }),
    ...sealed("integrity", { down: 1.3, up: 1.4 }),
    ...clear,
    ...own,
    ...opened,
    ...echo,
    ...kept,
    ...growth,
    atMost("event loop under full load", "p99 ms late", 5, late),
  ];
}

/** As a table of Markdown. */
export function targetTable(list: readonly Target[]): string {
  const lines = list.map(({ work, unit, bound, limit, measured }) => [
    work,
    unit,
    `${bound} ${format(limit)}`,
    measured === null ? "" : format(measured),
    measured === null ? "not measured" : met({ bound, limit, measured }) ? "met" : "missed",
  ]);
  const head = ["work", "figure", "target", "measured", ""];
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...lines].map((line) => line[column]?.length ?? 0)),
  );
  const shown = (line: readonly string[]) =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [
    shown(head),
    `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`,
    ...lines.map(shown),
  ].join("\n");
}

function met({
  bound,
  limit,
  measured,
}: {
  bound: Target["bound"];
  limit: number;
  measured: number;
}): boolean {
  return bound === "at most" ? measured <= limit : measured >= limit;
}
