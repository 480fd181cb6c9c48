import { setTimeout as wait } from "node:timers/promises";
import { type Command, Option } from "commander";
import { askServer } from "../control/control-client.js";
import type { SessionInfo } from "../server/session-info.js";
import { askedSocket, type ControlOptions, controlCommand } from "./control-path.js";
import { print } from "./output.js";
import { table } from "./table.js";

interface SessionsOptions extends ControlOptions {
  json?: boolean;
  user?: string;
  watch?: boolean;
}

/** Rates are what came between two looks, so far apart, in ms. */
const BETWEEN = 1000;
const BETWEEN_WATCHED = 2000;

const CLEAR_SCREEN = "\x1b[H\x1b[2J";

/** `gssocks sessions`: who is connected, where to, and how much is carried. */
export function sessionsCommand(): Command {
  return controlCommand("sessions")
    .description("list open sessions, with rates over the last second")
    .option("-u, --user <pattern>", "of these alone, as alice@EXAMPLE.TEST or *@EXAMPLE.TEST")
    .addOption(new Option("--json", "one JSON object a line").conflicts("watch"))
    .option("--watch", "again every two seconds")
    .action(async ({ json, user, watch, ...options }: SessionsOptions) => {
      const path = askedSocket(options);
      const look = () => takeLook(path, user);
      let before = await look();
      do {
        // Nobody's rate is asked for where nobody is.
        if (before.sessions.size > 0 || watch) await wait(watch ? BETWEEN_WATCHED : BETWEEN);
        const now = await look();
        const sessions = [...now.sessions.values()].map((session) => withRates(session, before, now));
        if (json) for (const session of sessions) print(`${JSON.stringify(session)}\n`);
        else show(sessions, watch ?? false);
        before = now;
      } while (watch);
    });
}

interface Look {
  /** Milliseconds of the server's clock. */
  time: number;
  sessions: Map<string, SessionInfo>;
}

async function takeLook(path: string, user: string | undefined): Promise<Look> {
  const sessions = new Map<string, SessionInfo>();
  const request = user === undefined ? {} : { user };
  const { time = 0 } = await askServer(path, { ask: "sessions", ...request }, (item) => {
    if ("session" in item) sessions.set(item.session.session, item.session);
  });
  return { time, sessions };
}

interface Rated extends SessionInfo {
  /** Octets a second. */
  rateUp: number;
  rateDown: number;
}

function withRates(session: SessionInfo, before: Look, now: Look): Rated {
  const earlier = before.sessions.get(session.session);
  const seconds = earlier === undefined ? session.age : (now.time - before.time) / 1000;
  const rate = (octets: number) => (seconds > 0 ? Math.max(0, Math.round(octets / seconds)) : 0);
  return {
    ...session,
    rateUp: rate(session.bytesUp - (earlier?.bytesUp ?? 0)),
    rateDown: rate(session.bytesDown - (earlier?.bytesDown ?? 0)),
  };
}

function show(sessions: readonly Rated[], watched: boolean): void {
  const rows = sessions.map((each) => [
    each.session,
    each.state,
    each.principal ?? "-",
    each.client,
    each.destination === null ? "-" : `${each.command} ${each.destination}`,
    each.rule === null ? "-" : String(each.rule),
    each.level ?? "-",
    duration(each.age),
    amount(each.bytesUp),
    amount(each.bytesDown),
    `${amount(each.rateUp)}/s`,
    `${amount(each.rateDown)}/s`,
  ]);
  const text = table(
    [
      "SESSION",
      "STATE",
      "PRINCIPAL",
      "CLIENT",
      "DESTINATION",
      "RULE",
      "LEVEL",
      "AGE",
      "UP",
      "DOWN",
      "UP",
      "DOWN",
    ],
    rows,
  );
  print(`${watched && process.stdout.isTTY ? CLEAR_SCREEN : ""}${text}`);
}

/** `59s`, `59m59s`, `23h59m`, `12d23h`. */
function duration(seconds: number): string {
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
function amount(octets: number): string {
  let value = octets;
  let unit = 0;
  for (; value >= 999.5 && unit < UNITS.length - 1; unit += 1) value /= 1000;
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)}${UNITS[unit]}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
