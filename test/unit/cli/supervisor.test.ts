/** What a supervisor is told, in datagrams of sd_notify(3), and what of the environment is for us. */
import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Supervisor } from "../../../src/cli/supervisor.js";

const PID = 4242;

/** A supervisor that takes all, or answers with errors first. */
function told(environment: NodeJS.ProcessEnv, ...errors: number[]) {
  const datagrams: string[] = [];
  const supervisor = Supervisor.take(environment, PID, (path, octets) => {
    const error = errors.shift() ?? 0;
    if (error === 0) datagrams.push(`${path}|${Buffer.from(octets)}`);
    return error;
  });
  return { supervisor, datagrams };
}

test("ready, reloading and stopping, each as one datagram", () => {
  const environment = { NOTIFY_SOCKET: "/run/notify", PATH: "/" };
  const { supervisor, datagrams } = told(environment);
  assert.deepEqual(environment, { PATH: "/" });
  supervisor.ready("Serving\nREADY=0");
  const before = process.hrtime.bigint() / 1000n;
  supervisor.reloading();
  supervisor.ready("Serving");
  supervisor.stopping("Ending");
  supervisor.reloading();
  supervisor.ready("a reload that is over only now");
  assert.deepEqual(
    datagrams.map((each) => each.replace(/\d{4,}/, "N")),
    [
      "/run/notify|READY=1\nSTATUS=Serving READY=0",
      "/run/notify|RELOADING=1\nMONOTONIC_USEC=N\nSTATUS=Reloading",
      "/run/notify|READY=1\nSTATUS=Serving",
      "/run/notify|STOPPING=1\nSTATUS=Ending",
    ],
  );
  const [, microseconds = ""] = /USEC=(\d+)/.exec(datagrams[1] ?? "") ?? [];
  assert.ok(BigInt(microseconds) >= before && BigInt(microseconds) <= process.hrtime.bigint() / 1000n);
});

test("nobody asked, or by a kind of socket that is not ours", () => {
  for (const NOTIFY_SOCKET of [undefined, "", "/", "@", "vsock:2:1234", "relative"]) {
    const { supervisor, datagrams } = told(NOTIFY_SOCKET === undefined ? {} : { NOTIFY_SOCKET });
    supervisor.ready("Serving");
    supervisor.reloading();
    supervisor.stopping("Ending");
    assert.deepEqual(datagrams, []);
  }
});

test("one whose queue is full is told again; one that has gone is not", async () => {
  const full = told({ NOTIFY_SOCKET: "@abstract" }, constants.errno.EAGAIN, constants.errno.EAGAIN);
  full.supervisor.ready("Serving");
  assert.deepEqual(full.datagrams, []);
  while (full.datagrams.length === 0) await delay(10);
  assert.deepEqual(full.datagrams, ["@abstract|READY=1\nSTATUS=Serving"]);
  const gone = told({ NOTIFY_SOCKET: "/run/notify" }, constants.errno.ECONNREFUSED);
  gone.supervisor.ready("Serving");
  gone.supervisor.stopping("Ending");
  assert.deepEqual(gone.datagrams, ["/run/notify|STOPPING=1\nSTATUS=Ending"]);
});

test("the watchdog is fed, where it is ours", async () => {
  const watched = (environment: NodeJS.ProcessEnv) => told({ NOTIFY_SOCKET: "@w", ...environment });
  const others = [
    watched({ WATCHDOG_USEC: "1000", WATCHDOG_PID: "1" }),
    watched({ WATCHDOG_USEC: "0" }),
    watched({ WATCHDOG_USEC: "1e3" }),
    watched({}),
    told({ WATCHDOG_USEC: "1000" }),
  ];
  const ours = [
    watched({ WATCHDOG_USEC: "1000", WATCHDOG_PID: String(PID) }),
    watched({ WATCHDOG_USEC: "1000" }),
  ];
  while (ours.some(({ datagrams }) => datagrams.length < 3)) await delay(10);
  for (const { datagrams } of ours) assert.deepEqual(new Set(datagrams), new Set(["@w|WATCHDOG=1"]));
  for (const { datagrams } of others) assert.deepEqual(datagrams, []);
});
