// How often others are asked for a client's groups, and what becomes of their failures.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GroupSource } from "../../../src/auth/group-sources.js";
import { plainIdentity } from "../../../src/auth/identity.js";
import { ClientFacts } from "../../../src/server/client-facts.js";
import { Directory } from "../../../src/server/directory.js";

const ASKED = ["staff", "interns"];

function source(answers: (readonly string[] | Error)[]): GroupSource & { asked: number } {
  return {
    asked: 0,
    async groupsOf() {
      const answer = answers[Math.min(this.asked++, answers.length - 1)] as readonly string[] | Error;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

test("each source adds to what the others know, and what is not asked for does not count", async () => {
  const directory = new Directory({
    sources: [source([["staff", "others"]]), source([["interns"]])],
    maxAge: 1000,
  });
  const { names, failure } = await directory.groups("alice@R", "alice", ASKED);
  assert.deepEqual([[...names], failure], [["staff", "interns"], null]);
});

test("an answer holds for a while, and those who ask meanwhile get the same", async () => {
  let now = 0;
  const known = source([["staff"], ["interns"]]);
  const directory = new Directory({ sources: [known], maxAge: 1000 }, () => now);
  const ask = async () => [...(await directory.groups(null, "alice", ASKED)).names];
  assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [["staff"], ["staff"], ["staff"]]);
  now = 999;
  assert.deepEqual(await ask(), ["staff"]);
  await directory.groups(null, "bob", ASKED);
  assert.equal(known.asked, 2);
  now = 1000;
  assert.deepEqual(await ask(), ["interns"]);
});

test("a failure leaves the rest unknown, and is not repeated for long", async () => {
  let now = 0;
  const broken = source([new Error("it is down"), ["interns"]]);
  const directory = new Directory({ sources: [source([["staff"]]), broken], maxAge: 60_000 }, () => now);
  const ask = () => directory.groups(null, "alice", ASKED);
  const { names, failure } = await ask();
  assert.deepEqual([[...names], failure], [["staff"], "the client's groups are not known: it is down"]);
  now = 1999;
  assert.notEqual((await ask()).failure, null);
  assert.equal(broken.asked, 1);
  now = 2000;
  const later = await ask();
  assert.deepEqual([[...later.names], later.failure], [["staff", "interns"], null]);
});

test("a session's client is asked about once, and only where a rule asks", async () => {
  const known = source([["staff"]]);
  const directory = new Directory({ sources: [known], maxAge: 0 });
  const arrival = { address: "192.0.2.1", listener: "127.0.0.1:1080", tls: false, tlsSubject: null };
  const identity = plainIdentity("password", "alice");
  const idle = new ClientFacts(arrival, { ruleset: { needs: { localName: false, groups: [] } }, directory });
  assert.equal((await idle.of(identity, "none")).groups.names.size, 0);
  assert.equal(known.asked, 0);
  const facts = new ClientFacts(arrival, {
    ruleset: { needs: { localName: false, groups: ASKED } },
    directory,
  });
  const [first, second] = await Promise.all([facts.of(identity, "none"), facts.of(identity, "none")]);
  assert.equal(first, second);
  assert.equal(await facts.of(identity, "none"), first);
  assert.equal(known.asked, 1);
  assert.deepEqual([...first.groups.names], ["staff"]);
  assert.deepEqual([first.user, first.principal, String(first.address)], ["alice", null, "192.0.2.1"]);
});

test("other rules have it asked about again, by whoever knows then", async () => {
  const [before, after] = [source([["staff"]]), source([["interns"]])];
  const directoryOf = (known: GroupSource) => new Directory({ sources: [known], maxAge: 60_000 });
  const arrival = { address: "192.0.2.1", listener: "127.0.0.1:1080", tls: false, tlsSubject: null };
  const identity = plainIdentity("password", "alice");
  const sources = {
    ruleset: { needs: { localName: false, groups: ["staff"] } },
    directory: directoryOf(before),
  };
  const facts = new ClientFacts(arrival, sources);
  assert.deepEqual([...(await facts.of(identity, "none")).groups.names], ["staff"]);
  sources.ruleset = { needs: { localName: false, groups: ASKED } };
  sources.directory = directoryOf(after);
  assert.deepEqual([...(await facts.of(identity, "none")).groups.names], ["interns"]);
});

test("what a name is depends on who vouches for it", async () => {
  const directory = new Directory({ sources: [], maxAge: 0 });
  const arrival = { address: "::ffff:192.0.2.1", listener: "", tls: true, tlsSubject: ["CN=alice"] };
  const of = (identity: Parameters<ClientFacts["of"]>[0]) =>
    new ClientFacts(arrival, { ruleset: { needs: { localName: false, groups: [] } }, directory }).of(
      identity,
      "none",
    );
  const named = (kerberos: boolean) => ({ ...plainIdentity("gssapi", "alice@R"), kerberos });
  const table = [
    [await of(named(true)), "alice@R", null],
    [await of(named(false)), null, "alice@R"],
    [await of(plainIdentity("certificate", "alice@R")), null, null],
    [await of(plainIdentity("password", "alice@R")), null, "alice@R"],
    [await of(plainIdentity("none", null)), null, null],
  ] as const;
  for (const [client, principal, user] of table) {
    assert.deepEqual([client.principal?.text ?? null, client.user], [principal, user]);
    assert.equal(String(client.address), "192.0.2.1");
  }
});
