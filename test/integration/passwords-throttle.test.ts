/**
 * What is tested: guessing at passwords through `gssocks serve`, seen from outside: too many wrong ones for a name keep
 * everybody else out who uses it, but not the user from where they have come in before; too many from an address keep that
 * address out, with the right password too; each with the log line. A client can't tell any of it from a wrong password.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { echo, Origin } from "../support/origin.js";
import { assertKeptOut, assertLetIn, attempt, type PasswordAttempt } from "../support/password-client.js";
import { run } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";

const HOME = "127.0.0.2";
const GUESSER = "127.0.0.3";
const FLOODER = "127.0.0.4";

test("guessing at passwords", async (t) => {
  const { proxy } = await proxiedRealm(t, async (realm) => {
    const file = path.join(realm.dir, "users");
    // Cheap hashes: the allowances are what is tested.
    await run("htpasswd", ["-cbB", "-C", "4", file, "alice", "alice-password"]);
    await run("htpasswd", ["-bB", "-C", "4", file, "bob", "bob-password"]);
    return { listeners: [{ address: "127.0.0.1:0", methods: ["password"] }], passwords: { file } };
  });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const alice = { name: "alice", password: "alice-password" };

  /** Wrong ones, all at once, and then others that come while those are judged. @returns each one's code and reason */
  async function guess(wrong: PasswordAttempt[], then: PasswordAttempt[]): Promise<string[]> {
    const clients = await Promise.all(wrong.map((each) => attempt(proxy, each)));
    for (const each of then) clients.push(await attempt(proxy, each));
    return Promise.all(
      clients.map(async (client) => {
        const { octets, how } = await client.farewell();
        assert.deepEqual([octets.toString("hex"), how], ["05020101", "end"]);
        client.close();
        const { code, reason, outcome } = await proxy.audit((each) => each.client === client.address);
        assert.equal(outcome, "denied");
        return code === "THROTTLED" ? String(reason).replace(/\d+ s$/, "…") : String(code);
      }),
    );
  }

  await t.test("at one name", async () => {
    await assertLetIn(proxy, origin, { ...alice, from: HOME });
    const wrong = Array.from({ length: 15 }, (_, index) => `wrong-${index}`);
    const outcomes = await guess(
      wrong.map((password) => ({ name: "alice", password, from: GUESSER })),
      [
        { ...alice, from: GUESSER },
        // Spelt in another way it is the same name's count.
        { ...alice, name: "ALICE@example.test", from: FLOODER },
      ],
    );
    const throttled = "too many wrong passwords for this name: again in …";
    // One is forgiven in a minute, should this take so long.
    assert.ok(outcomes.filter((each) => each === "BAD_PASSWORD").length <= 12, String(outcomes));
    assert.ok(outcomes.filter((each) => each === "BAD_PASSWORD").length >= 10, String(outcomes));
    assert.deepEqual(outcomes.slice(-2), [throttled, throttled]);
    await assertLetIn(proxy, origin, { ...alice, from: HOME });
    await assertLetIn(proxy, origin, { name: "bob", password: "bob-password", from: GUESSER });
    await assertKeptOut(
      proxy,
      { ...alice, from: "127.0.0.1" },
      { code: "THROTTLED", reason: /^too many wrong passwords for this name: again in \d+ s$/ },
    );
  });

  await t.test("from one address", async () => {
    const wrong = Array.from({ length: 70 }, (_, index) => `name-${index}`);
    const outcomes = await guess(
      wrong.map((name) => ({ name, password: "wrong", from: FLOODER })),
      [{ name: "bob", password: "bob-password", from: FLOODER }],
    );
    assert.equal(outcomes.at(-1), "too many wrong passwords from this address: again in …");
    const judged = outcomes.filter((each) => each === "BAD_PASSWORD").length;
    // One is forgiven in ten seconds.
    assert.ok(judged >= 50 && judged <= 60, `${judged} were judged`);
    await assertLetIn(proxy, origin, { name: "bob", password: "bob-password", from: "127.0.0.5" });
  });
});
