import type { ProxyInfo, Reason, TicketInfo, UpstreamInfo } from "../server/upstream-info.js";
import { amount, duration } from "./quantities.js";
import { table } from "./table.js";
import { plainText, wrapped } from "./terminal-text.js";

const TICKET_HEAD = ["UPSTREAM", "TICKET", "CCACHE", "LEFT", "RENEWABLE"];

const PROXY_HEAD = ["UPSTREAM", "PROXY", "STATE", "SINCE", "SESSIONS", "UP", "DOWN", "FAILURES", "NEXT TRY"];

/** Tables of tickets and proxies, a blank line between them, and below each why some can't be used. */
export function upstreamTables(upstreams: readonly UpstreamInfo[]): string {
  const why = reasons(upstreams);
  const tickets = ticketTable(upstreams);
  return [
    tickets,
    ...why.tickets,
    ...(tickets === "" ? [] : ["\n"]),
    proxyTable(upstreams),
    ...why.proxies,
  ].join("");
}

/** Those alike told once; nothing where none has one. */
function ticketTable(upstreams: readonly UpstreamInfo[]): string {
  const rows = new Map<string, string[]>();
  for (const { upstream, ticket } of upstreams) {
    if (ticket === null) continue;
    const { secondsLeft: _, ...told } = ticket;
    const key = JSON.stringify([upstream, told]);
    if (!rows.has(key)) rows.set(key, [upstream, ...ticketCells(ticket)]);
  }
  return rows.size === 0 ? "" : table(TICKET_HEAD, [...rows.values()]);
}

function ticketCells({ principal, ccache, secondsLeft, renewableUntil }: TicketInfo): string[] {
  return [
    principal ?? "none",
    ccache ?? "-",
    secondsLeft === null ? "-" : duration(secondsLeft),
    renewableUntil === null ? "-" : duration(Math.max(0, secondsUntil(renewableUntil))),
  ];
}

/** A line each; for each of several processes where they tell. */
function proxyTable(upstreams: readonly UpstreamInfo[]): string {
  const several = new Set(upstreams.map(({ pid }) => pid)).size > 1;
  const lines = upstreams.flatMap((each) => rowsOf(each).map((cells) => ({ pid: String(each.pid), cells })));
  if (!several)
    return table(
      PROXY_HEAD,
      lines.map(({ cells }) => cells),
    );
  return table(
    ["PID", ...PROXY_HEAD],
    lines.map(({ pid, cells }) => [pid, ...cells]),
  );
}

function rowsOf({ upstream, srv, proxies }: UpstreamInfo): string[][] {
  const rows = proxies.map((proxy) => [upstream, ...proxyCells(proxy)]);
  // Those that were found before are there all the same.
  const lookUp = srv === null || (srv.error === null && rows.length > 0) ? [] : [srv];
  for (const { domain, error } of lookUp)
    rows.push([
      upstream,
      `(DNS: ${domain})`,
      error === null ? "unknown" : "failed",
      "-",
      "-",
      "-",
      "-",
      "-",
      "-",
    ]);
  return rows;
}

function proxyCells(proxy: ProxyInfo): string[] {
  const { state, nextCheck, failuresInARow } = proxy;
  const down = state === "down";
  return [
    proxy.proxy,
    state,
    duration(Math.max(0, -secondsUntil(proxy.since))),
    String(proxy.sessions),
    amount(proxy.bytesUp),
    amount(proxy.bytesDown),
    String(failuresInARow),
    down ? (nextCheck === null ? "now" : duration(Math.max(0, secondsUntil(nextCheck)))) : "-",
  ];
}

/** A line each, as long as it is: it is what most is asked for. Several processes may say the same. */
function reasons(upstreams: readonly UpstreamInfo[]): { tickets: string[]; proxies: string[] } {
  const line = (what: string, reason: Reason | null | undefined) =>
    reason ? [`${wrapped(plainText(`${what}: ${reason.message}`), process.stdout.columns)}\n`] : [];
  return {
    tickets: distinct(upstreams.flatMap(({ upstream, ticket }) => line(upstream, ticket?.error))),
    proxies: distinct(
      upstreams.flatMap(({ srv, proxies }) => [
        ...proxies.flatMap(({ proxy, state, error }) => (state === "down" ? line(proxy, error) : [])),
        ...line(srv?.domain ?? "", srv?.error),
      ]),
    ),
  };
}

function distinct(lines: readonly string[]): string[] {
  return [...new Set(lines)];
}

/** The server's clock is ours, but for what it takes to be told. */
function secondsUntil(time: string): number {
  return (Date.parse(time) - Date.now()) / 1000;
}
