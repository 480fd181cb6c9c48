// `gssocks explain` against the server's engine: the same answer to whoever asks, whatever the rules are.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { explain, explanationText, type Question } from "../../../src/cli/explanation.js";
import { parseConfig } from "../../../src/config/load.js";
import type { Client } from "../../../src/policy/facts.js";
import { parsePrincipal } from "../../../src/policy/principal.js";
import { type AddressRequest, Ruleset } from "../../../src/policy/ruleset.js";
import { parseHost } from "../../../src/protocol/address.js";
import { type Authorized, authorize, DeniedError } from "../../../src/server/authorize.js";
import { address, client, name, request, rules } from "../policy/request-generators.js";

const LISTENERS = 'listeners: [{ address: "*:1080" }, { address: 127.0.0.1:1080 }]\n';

/** As a session makes it: one kind of name, by its method. */
const consistent = client.map((each): Client => {
  const { method } = each;
  const gssapi = method === "gssapi";
  const anonymous = ["none", "empty", "certificate"].includes(method);
  const mechanism = gssapi ? (each.mechanism ?? "krb5") : null;
  const principal = mechanism === "krb5" ? (each.principal ?? parsePrincipal("alice@A.TEST")) : null;
  const user = anonymous || principal !== null ? null : (each.user ?? "alice");
  const name = principal === null ? null : each.localName.name;
  return {
    ...each,
    mechanism,
    principal,
    user,
    localName: { name, failure: null },
    groups: { names: each.groups.names, failure: null },
    level: gssapi ? each.level : "none",
  };
});

function questionOf(asking: Client, { command, time, name, address, port }: Asked): Question {
  return {
    as: asking.principal?.text ?? asking.user,
    from: String(asking.address),
    to: { host: parseHost(name ?? address), port },
    command,
    method: asking.method,
    mechanism: asking.mechanism,
    level: asking.level,
    listener: asking.listener,
    tls: asking.tls,
    tlsSubject: asking.tlsSubject,
    // Else the system would be asked.
    localName: asking.localName.name ?? "",
    groups: [...asking.groups.names],
    time,
    addresses: [address],
  };
}

type Asked = Omit<AddressRequest, "client">;

/** Of which no listener is there. */
const elsewhere = request.filter(({ port }) => port !== 1080);

test("what is explained is what the server decides", async () => {
  const config = { ...parseConfig(LISTENERS, "f"), rules: [] };
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(rules, consistent, elsewhere, fc.option(name), address, async (...all) => {
      const [list, who, { command, time, port }, name, address] = all;
      const question = questionOf(who, { command, time, name, address, port });
      const decided = await authorize(
        new Ruleset(list, () => false),
        question.to,
        { client: who, command, time },
        async () => [address],
      ).then(allowed, denied);
      const explained = await explain({ ...config, rules: list }, question);
      const { decision, rule, reason, judgements } = explained;
      assert.deepEqual({ decision, rule, reason }, decided);
      const last = judgements.at(-1)?.steps.at(-1);
      if (decision === "allow") assert.deepEqual([last?.rule, last?.match], [rule, "yes"]);
      for (const { steps } of judgements)
        for (const step of steps) assert.equal(step.mismatches.length > 0, step.match === "no");
      assert.ok(explanationText(explained).endsWith("\n"));
      seen.add(`${decision} ${rule}`);
    }),
    { numRuns: 1000 },
  );
  assert.ok(seen.size > 6, [...seen].join(", "));
});

function allowed({ addresses }: Authorized) {
  const [first] = addresses.values();
  return { decision: "allow", rule: first?.rule ?? null, reason: first?.reason ?? "" };
}

function denied(error: unknown) {
  if (!(error instanceof DeniedError)) throw error;
  const { rule, reason } = error.decision;
  return { decision: "deny", rule, reason };
}
