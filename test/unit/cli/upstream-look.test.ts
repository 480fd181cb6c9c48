// The exit status that a script learns from, by what is said of upstreams; and what people read of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { verdictOn } from "../../../src/cli/upstream-look.js";
import { upstreamTables } from "../../../src/cli/upstream-table.js";
import type { ProxyInfo, TicketInfo, UpstreamInfo } from "../../../src/server/upstream-info.js";

const NOW = Date.now();
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();

function proxy(state: ProxyInfo["state"], more: Partial<ProxyInfo> = {}): ProxyInfo {
  return {
    proxy: "p.example.test:1080",
    from: "configuration",
    state,
    since: at(-3700),
    error: null,
    failures: 0,
    failuresInARow: 0,
    nextCheck: null,
    sessions: 0,
    bytesUp: 0,
    bytesDown: 0,
    ...more,
  };
}

function upstream(more: Partial<UpstreamInfo>): UpstreamInfo {
  return {
    upstream: "next",
    pid: 1,
    order: "first",
    srv: null,
    ticket: null,
    proxies: [proxy("up")],
    ...more,
  };
}

const TICKET: TicketInfo = {
  principal: "alice@A.TEST",
  ccache: "FILE:/tmp/cc",
  secondsLeft: 7200,
  renewableUntil: null,
  error: null,
};
const failure = { code: "DOWN", message: "refused", time: at(-5) };

test("the verdict", () => {
  const down = upstream({ proxies: [proxy("down"), proxy("down")] });
  const noTicket = upstream({ ticket: { ...TICKET, error: failure } });
  const table: [status: number, upstreams: UpstreamInfo[]][] = [
    [0, []],
    [0, [upstream({}), upstream({ ticket: TICKET })]],
    [0, [upstream({ proxies: [proxy("down"), proxy("unknown")] })]],
    [4, [upstream({}), down]],
    [3, [upstream({}), noTicket]],
    [3, [down, noTicket]],
    [0, [upstream({ proxies: [], srv: { domain: "a.test", error: null } })]],
    [4, [upstream({ proxies: [], srv: { domain: "a.test", error: failure } })]],
    [0, [upstream({ srv: { domain: "a.test", error: failure } })]],
  ];
  for (const [status, upstreams] of table)
    assert.equal(verdictOn(upstreams), status, JSON.stringify(upstreams));
});

test("tables, and why not below them", () => {
  const error = { code: "NO_TICKET", message: "get one with\x1b[2J kinit" };
  const text = upstreamTables([
    upstream({
      ticket: { ...TICKET, principal: null, ccache: null, secondsLeft: null, error },
      proxies: [
        proxy("up", { sessions: 2, bytesUp: 1234, bytesDown: 99_500_000, error: failure }),
        proxy("down", { proxy: "q:1", failuresInARow: 3, nextCheck: at(30.9), error: failure }),
      ],
    }),
    upstream({ upstream: "found", srv: { domain: "a.test", error: failure }, proxies: [] }),
  ]);
  assert.equal(
    text.replace(/ +/g, " ").replace(/ (?:30|29|28)s$/gm, " 30s"),
    [
      "UPSTREAM TICKET CCACHE LEFT RENEWABLE",
      "next none - - -",
      "next: get one with?[2J kinit",
      "",
      "UPSTREAM PROXY STATE SINCE SESSIONS UP DOWN FAILURES NEXT TRY",
      "next p.example.test:1080 up 1h1m 2 1.2kB 100MB 0 -",
      "next q:1 down 1h1m 0 0B 0B 3 30s",
      "found (DNS: a.test) failed - - - - - -",
      "q:1: refused",
      "a.test: refused",
      "",
    ].join("\n"),
  );
});

test("processes that find different things", () => {
  const [one, other] = [
    upstream({ ticket: TICKET }),
    upstream({ pid: 2, ticket: { ...TICKET, secondsLeft: 7199 } }),
  ];
  const text = upstreamTables([one, { ...other, proxies: [proxy("down", { error: failure })] }]);
  assert.equal(text.match(/alice@A\.TEST/g)?.length, 1, text);
  assert.match(
    text,
    /^PID +UPSTREAM .*\n1 +next .* up .*\n2 +next .* down .* now\np\.example\.test:1080: refused\n$/m,
  );
});
