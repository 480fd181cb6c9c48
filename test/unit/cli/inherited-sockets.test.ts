/** What sd_listen_fds(3) says of the environment, and which listener gets which descriptor. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { InheritedSockets } from "../../../src/cli/inherited-sockets.js";

const PID = 4242;

interface Passed {
  systemd: string;
  descriptor?: number;
}

function given(environment: NodeJS.ProcessEnv, ...names: string[]): (number | undefined)[] {
  const sockets = InheritedSockets.take(environment, PID);
  return sockets.give(names.map((systemd): Passed => ({ systemd }))).map(({ descriptor }) => descriptor);
}

const OURS = { LISTEN_PID: String(PID) };

test("by name, several of one name in their order", () => {
  const environment = { ...OURS, LISTEN_FDS: "4", LISTEN_FDNAMES: "a:b:a:c", LISTEN_PIDFDID: "1", PATH: "/" };
  const sockets = InheritedSockets.take(environment, PID);
  assert.deepEqual(environment, { PATH: "/" });
  const listeners = [{ systemd: "a" }, { host: "::", port: 1 }, { systemd: "c" }, { systemd: "a" }];
  assert.deepEqual(sockets.give(listeners), [
    { systemd: "a", descriptor: 3 },
    { host: "::", port: 1 },
    { systemd: "c", descriptor: 6 },
    { systemd: "a", descriptor: 5 },
  ]);
  assert.deepEqual(sockets.unused(listeners), ["b"]);
  assert.deepEqual(sockets.give([{ systemd: "a" }]), [{ systemd: "a", descriptor: 3 }], "asked again");
});

test("without names, and with too few", () => {
  assert.deepEqual(given({ ...OURS, LISTEN_FDS: "2" }, "unknown", "unknown"), [3, 4]);
  assert.deepEqual(given({ ...OURS, LISTEN_FDS: "2", LISTEN_FDNAMES: "a" }, "a", "unknown"), [3, 4]);
});

test("what is not for us, or nonsense, is nothing, and taken away all the same", () => {
  for (const environment of [
    {},
    { LISTEN_FDS: "1", LISTEN_FDNAMES: "a" },
    { LISTEN_PID: "1", LISTEN_FDS: "1", LISTEN_FDNAMES: "a" },
    { ...OURS, LISTEN_FDNAMES: "a" },
    ...["0", "-1", "1.5", "x", "99999", "1025", ""].map((LISTEN_FDS) => ({
      ...OURS,
      LISTEN_FDS,
      LISTEN_FDNAMES: "a",
    })),
  ]) {
    const label = JSON.stringify(environment);
    assert.deepEqual(given(environment, "a"), [undefined], label);
    assert.deepEqual(environment, {}, label);
  }
});
