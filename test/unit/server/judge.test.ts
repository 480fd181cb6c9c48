// What was granted, when the rules change: while a name is looked up, once it is dialed, where a rule had led elsewhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../../src/config/load.js";
import { NetworkError } from "../../../src/errors.js";
import { Ruleset } from "../../../src/policy/ruleset.js";
import { type Endpoint, parseHost } from "../../../src/protocol/address.js";
import type { Resolver } from "../../../src/relay/resolver.js";
import { Judge } from "../../../src/server/judge.js";
import { type Deferred, deferred } from "../../support/deferred.js";
import { aClient } from "../policy/client.js";

const DST = endpoint("db.example.test", 5432);

function endpoint(host: string, port: number): Endpoint {
  return { host: parseHost(host), port };
}

function rulesetOf(rules: string): Ruleset {
  const { rules: parsed } = parseConfig(`listeners: [{ address: "127.0.0.1:1" }]\nrules: ${rules}`, "f");
  return new Ruleset(parsed, () => false);
}

/** Rules that change, and names that the test looks up. */
class Court {
  ruleset: Ruleset;
  readonly asked: Deferred<readonly string[]>[] = [];
  readonly judge: Judge;

  constructor(rules: string, command: "connect" | "bind" = "connect") {
    this.ruleset = rulesetOf(rules);
    const { asked } = this;
    const resolver = {
      resolve: () => {
        const answer = deferred<readonly string[]>();
        asked.push(answer);
        return answer.promise;
      },
    } as unknown as Resolver;
    const court = this;
    const options = {
      get ruleset() {
        return court.ruleset;
      },
      resolver,
      authorizer: null,
    };
    this.judge = new Judge(options, {
      command,
      method: "gssapi",
      principal: "alice@EXAMPLE.TEST",
      source: "192.0.2.1",
      client: async () => aClient(),
      signal: () => new AbortController().signal,
      entered: () => {},
    });
  }

  change(rules: string): void {
    this.ruleset = rulesetOf(rules);
  }

  /** Answers the next question, once it has come. */
  async answer(answer: string[] | Error): Promise<void> {
    while (this.asked.length === 0) await new Promise((turn) => setImmediate(turn));
    const asked = this.asked.shift();
    if (answer instanceof Error) asked?.reject(answer);
    else asked?.resolve(answer);
  }

  async again(): Promise<string | null> {
    return (await this.judge.again(null))?.message ?? null;
  }
}

test("a name that is being looked up is judged by the rules that hold in the end", async () => {
  const denied = new Court("[{ allow: {} }]");
  const grant = denied.judge.grant(DST);
  denied.change('[{ deny: { to: ["*.example.test"] } }, { allow: {} }]');
  // Nothing is granted as yet.
  assert.equal(await denied.again(), null);
  await denied.answer(["192.0.2.7"]);
  await assert.rejects(grant, { code: "RULE_DENIED" });
  assert.equal(denied.asked.length, 0);

  const allowed = new Court("[{ deny: { to: [192.0.2.0/24] } }, { allow: {} }]");
  const later = allowed.judge.grant(DST);
  allowed.change("[{ allow: {} }]");
  await allowed.answer(["192.0.2.7"]);
  await allowed.answer(["192.0.2.8"]);
  assert.deepEqual([...(await later).addresses.keys()], ["192.0.2.8"]);
});

test("while it is dialed each address counts, and then the one that was reached", async () => {
  const court = new Court("[{ allow: {} }]");
  const grant = court.judge.grant(DST);
  await court.answer(["192.0.2.7", "2001:db8::7"]);
  await grant;
  assert.equal(await court.again(), null);
  court.change('[{ deny: { to: ["2001:db8::/32"] } }, { allow: {} }]');
  const denial = "the rules have changed: db.example.test:5432 is denied: rule 1 denies 2001:db8::/32";
  assert.equal(await court.again(), denial);
  court.judge.reached(DST, "192.0.2.7");
  assert.equal(await court.again(), null);
  court.change('[{ deny: { to: ["db.example.test"] } }, { allow: {} }]');
  assert.match((await court.again()) ?? "", /rule 1 denies db\.example\.test$/);
  court.change("[{ allow: { to: [192.0.2.7] } }]");
  assert.equal(await court.again(), null);
  court.change("[]");
  assert.match((await court.again()) ?? "", /no rule matches$/);
  assert.equal(court.asked.length, 0);
});

test("where a rule had led elsewhere: while it leads there, or that is allowed, or nothing can be found out", async () => {
  const redirect = '{ allow: { to: ["*.example.test"], command: [connect] }, redirect: "10.0.0.5:6000" }';
  const court = new Court(`[${redirect}]`);
  const { addresses, port } = await court.judge.grant(DST);
  assert.deepEqual([[...addresses.keys()], port], [["10.0.0.5"], 6000]);
  court.judge.reached(DST, "10.0.0.5");
  court.change(`[{ deny: { to: [10.0.0.0/8] } }, ${redirect}]`);
  const by = async (...answers: (string[] | Error)[]) => {
    const again = court.again();
    for (const answer of answers) await court.answer(answer);
    return again;
  };
  // A rule on networks may come first: the name has to be looked up.
  assert.equal(await by(["192.0.2.7"]), null);
  assert.match((await by(["10.0.0.9"])) ?? "", /rule 1 denies 10\.0\.0\.0\/8$/);
  assert.equal(await by(new NetworkError("NAME_NOT_FOUND", "no such name")), null);
  court.change("[{ allow: {} }]");
  assert.equal(await by(["192.0.2.7"]), null);
  court.change("[{ deny: { to: ['10.0.0.5:6000'] } }, { allow: {} }]");
  assert.match((await by(["192.0.2.7"])) ?? "", /rule 1 denies 10\.0\.0\.5:6000$/);
  court.change("[]");
  assert.match((await by()) ?? "", /no rule matches$/);
});

test("peers of BIND, where any may come", async () => {
  const any = endpoint("0.0.0.0", 21);
  const court = new Court("[{ allow: { to: [0.0.0.0] } }, { allow: {} }]", "bind");
  assert.equal(court.judge.peer("192.0.2.9", 21), undefined);
  await court.judge.grant(any);
  const effect = () => court.judge.peer("192.0.2.9", 21)?.effect;
  assert.equal(effect(), "allow");
  court.change("[{ allow: { to: [0.0.0.0] } }, { deny: { to: [192.0.2.9] } }, { allow: {} }]");
  assert.equal(await court.again(), null);
  assert.equal(effect(), "deny");
  // One that came just before.
  court.judge.reached(endpoint("192.0.2.9", 21), "192.0.2.9");
  assert.match((await court.again()) ?? "", /192\.0\.2\.9:21 is denied/);
});
