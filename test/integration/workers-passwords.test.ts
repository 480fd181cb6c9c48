/**
 * What is tested: guessing at passwords of a server of several processes. Wrong ones count together whichever worker they
 * come to, and so does that a user has been let in before; one who dies in the middle of attempts takes none of them along.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { echo, Origin } from "../support/origin.js";
import { assertKeptOut, assertLetIn, attempt } from "../support/password-client.js";
import { run } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { onWorker, workersOf } from "../support/workers.js";

const HOME = "127.0.0.2";
const GUESSER = "127.0.0.3";
const THROTTLED = { code: "THROTTLED", reason: /^too many wrong passwords for this name: again in \d+ s$/ };

/** Two workers, and alice, whose password's hash costs 2^`cost` rounds. */
async function start(context: TestContext, cost: number) {
  const { proxy } = await proxiedRealm(context, async (realm) => {
    const file = path.join(realm.dir, "users");
    await run("htpasswd", ["-cbB", "-C", String(cost), file, "alice", "alice-password"]);
    return {
      workers: 2,
      listeners: [{ address: "127.0.0.1:0", methods: ["password"] }],
      passwords: { file },
      timeouts: { drain: "0s" },
    };
  });
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  return { proxy, origin };
}

test("guessing at passwords of several processes", async (context) => {
  // Cheap hashes: the allowances are what is tested.
  const { proxy, origin } = await start(context, 4);
  const workers = workersOf(proxy) as [number, number];
  const right = { name: "alice", password: "alice-password" };

  await onWorker(proxy, workers[0], () => assertLetIn(proxy, origin, { ...right, from: HOME }));
  // Ten are allowed at once.
  for (const worker of workers) {
    await onWorker(proxy, worker, async () => {
      const wrong = { name: "alice", password: "wrong", from: GUESSER };
      const clients = await Promise.all(Array.from({ length: 5 }, () => attempt(proxy, wrong)));
      const refused = { code: "BAD_PASSWORD", reason: /wrong name or password/ };
      await Promise.all(clients.map((client) => assertKeptOut(proxy, client, refused)));
    });
  }
  for (const worker of workers) {
    await onWorker(proxy, worker, async () => {
      const line = await assertKeptOut(proxy, { ...right, from: GUESSER }, THROTTLED);
      assert.equal(line.worker, worker);
      await assertLetIn(proxy, origin, { ...right, from: HOME });
    });
  }
});

test("attempts under way when their worker dies", async (context) => {
  // A hash that takes a second: the attempts wait for each other.
  const { proxy, origin } = await start(context, 14);
  const [doomed, other] = workersOf(proxy) as [number, number];
  // As many as may be wrong, and more that wait for the outcome.
  await onWorker(proxy, doomed, async () => {
    const wrong = { name: "alice", password: "wrong", from: GUESSER };
    for (let each = 0; each < 15; each += 1) {
      const client = await attempt(proxy, wrong);
      context.after(() => client.close());
      await proxy.waitForLog((line) => line.msg === "method selected" && line.client === client.address);
    }
  });
  process.kill(doomed, "SIGKILL");
  const died = await proxy.waitForLog(({ msg }) => msg === "worker died");
  assert.equal(died.sessions, 15);
  await onWorker(proxy, other, () =>
    assertLetIn(proxy, origin, { name: "alice", password: "alice-password", from: GUESSER }),
  );
});
