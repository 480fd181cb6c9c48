/** Context establishment: one leg and several, each role's view, delegation, bindings, misuse. */
import assert from "node:assert/strict";
import { copyFile, rename } from "node:fs/promises";
import path from "node:path";
import { after, afterEach, before, beforeEach, suite, test } from "node:test";
import { Credential } from "../../../src/gss/credential.js";
import {
  DEFAULT_INITIATOR_FLAGS,
  GSS_C_DCE_STYLE,
  GSS_C_DELEG_FLAG,
  GSS_C_MUTUAL_FLAG,
  GSS_C_TRANS_FLAG,
} from "../../../src/gss/flags.js";
import { Name } from "../../../src/gss/name.js";
import { GSS_MECH_IAKERB, GSS_MECH_KRB5, GSS_MECH_SPNEGO } from "../../../src/gss/oids.js";
import { SecurityContext } from "../../../src/gss/security-context.js";
import { Realm } from "../../support/realm.js";
import { ENCTYPES, establish, newPair, type Pair } from "./establish.js";

/** Both directions, both protection levels, both kinds of per-message call. */
function exchange({ initiator, acceptor }: Pair): void {
  for (const [from, to] of [
    [initiator, acceptor],
    [acceptor, initiator],
  ] as const) {
    for (const conf of [true, false]) {
      const message = Buffer.from("to and fro");
      const opened = to.unwrap(from.wrap(message, conf));
      assert.deepEqual(opened, { message, confState: conf, supplementary: 0 });
      const buffer = Buffer.alloc(256);
      const length = from.wrapInto(conf, message, 0, message.length, buffer, 0, buffer.length);
      const { offset, length: opens, confState } = to.unwrapInPlace(buffer, 0, length);
      assert.deepEqual([buffer.toString("latin1", offset, offset + opens), confState], ["to and fro", conf]);
    }
  }
}

for (const enctype of ENCTYPES) {
  suite(`contexts, ${enctype}`, () => {
    let realm: Realm;
    before(async () => {
      realm = await Realm.start({ enctypes: [enctype] });
      realm.enter();
      await realm.kinit("alice");
    });
    after(() => realm.stop());

    test("krb5, two tokens: who and what is known on both sides", async () => {
      const pair = await newPair();
      assert.deepEqual([pair.tokens, pair.acceptorEndedSilently], [2, false]);
      for (const side of [pair.initiator, pair.acceptor]) {
        const info = side.inquire();
        assert.equal(info.initiator, "alice@EXAMPLE.TEST");
        assert.equal(info.acceptor, "rcmd/localhost@EXAMPLE.TEST");
        assert.equal(info.mechanism, GSS_MECH_KRB5);
        assert.equal(info.established, true);
        assert.equal(info.locallyInitiated, side === pair.initiator);
        assert.equal(
          side.flags & (DEFAULT_INITIATOR_FLAGS | GSS_C_TRANS_FLAG),
          DEFAULT_INITIATOR_FLAGS | GSS_C_TRANS_FLAG,
        );
        assert.ok(side.timeLeft() > 35_000 && side.timeLeft() <= 36_300);
        assert.equal(side.takeDelegated(), null);
      }
      exchange(pair);
      pair.close();
    });

    test("krb5 without mutual authentication: one token, no answer", async () => {
      const pair = await newPair({ flags: DEFAULT_INITIATOR_FLAGS & ~GSS_C_MUTUAL_FLAG });
      assert.deepEqual([pair.tokens, pair.acceptorEndedSilently], [1, true]);
      exchange(pair);
      pair.close();
    });

    test("krb5 in DCE style: three tokens, the acceptor ends without one", async () => {
      const pair = await newPair({ flags: DEFAULT_INITIATOR_FLAGS | GSS_C_DCE_STYLE });
      assert.deepEqual([pair.tokens, pair.acceptorEndedSilently], [3, true]);
      exchange(pair);
      pair.close();
    });

    test("SPNEGO", async () => {
      const mechanisms = [GSS_MECH_KRB5, GSS_MECH_SPNEGO];
      const acceptorCredential = await Credential.acceptor({ mechanisms });
      acceptorCredential.setNegotiable([GSS_MECH_KRB5]);
      const pair = await newPair({ mechanism: GSS_MECH_SPNEGO, acceptorCredential });
      assert.equal(pair.acceptor.inquire().initiator, "alice@EXAMPLE.TEST");
      exchange(pair);
      pair.close();
      acceptorCredential.close();
    });

    test("IAKERB with a password: the acceptor carries the messages to the KDC", async () => {
      const mechanisms = [GSS_MECH_IAKERB];
      const acceptorCredential = await Credential.acceptor({ mechanisms });
      const credential = await Credential.initiator({
        principal: "bob",
        password: "bob-password",
        mechanisms,
      });
      const pair = await newPair({ mechanism: GSS_MECH_IAKERB, credential, acceptorCredential });
      assert.ok(pair.tokens > 4, `${pair.tokens} tokens`);
      assert.equal(pair.acceptor.inquire().initiator, "bob@EXAMPLE.TEST");
      exchange(pair);
      for (const closable of [pair, credential, acceptorCredential]) closable.close();
    });

    test("a delegated ticket is handed over once, and works", async () => {
      const pair = await newPair({ flags: DEFAULT_INITIATOR_FLAGS | GSS_C_DELEG_FLAG });
      const credential = pair.acceptor.takeDelegated();
      assert.ok(credential);
      assert.equal(pair.acceptor.takeDelegated(), null);
      pair.close();
      assert.equal((await credential.inquire()).name, "alice@EXAMPLE.TEST");
      const second = await newPair({ credential, target: "host@localhost" });
      assert.equal(second.acceptor.inquire().initiator, "alice@EXAMPLE.TEST");
      second.close();
      credential.close();
    });

    test("equal channel bindings match", async () => {
      const bindings = Buffer.from("tls-exporter:0123");
      const pair = await newPair({ channelBindings: bindings, acceptorBindings: bindings });
      exchange(pair);
      pair.close();
    });
  });
}

suite("credentials", () => {
  let realm: Realm;
  let keytab: string;
  beforeEach(async () => {
    realm = await Realm.start();
    realm.enter();
    keytab = path.join(realm.dir, "server.keytab");
    await copyFile(realm.keytab, keytab);
  });
  afterEach(() => realm.stop());

  for (const how of ["in place", "by rename"]) {
    test(`a keytab that is replaced ${how} is seen by the credential that is there already`, async () => {
      const acceptorCredential = await Credential.acceptor({ keytab: `FILE:${keytab}` });
      await realm.kinit("alice");
      (await newPair({ acceptorCredential })).close();

      // A new key version; the client gets a new ticket for it.
      if (how === "in place") {
        await realm.ktadd("rcmd/localhost", keytab);
      } else {
        await realm.ktadd("rcmd/localhost", `${keytab}.new`);
        await rename(`${keytab}.new`, keytab);
      }
      await realm.kinit("alice");
      (await newPair({ acceptorCredential })).close();
      acceptorCredential.close();
    });
  }

  test("an acceptor accepts with any key of its keytab, or with the name it was given alone", async () => {
    await realm.kinit("alice");
    const any = await Credential.acceptor({
      keytab: `FILE:${keytab}`,
      rcache: `file2:${realm.dir}/rcache/own`,
    });
    assert.deepEqual((await any.inquire()).usage, "accept");
    for (const target of ["rcmd@localhost", "socks@localhost"])
      (await newPair({ target, acceptorCredential: any })).close();
    const name = Name.import("socks@localhost");
    const one = await Credential.acceptor({ keytab: `FILE:${keytab}`, name });
    (await newPair({ target: "socks@localhost", acceptorCredential: one })).close();
    await assert.rejects(newPair({ target: "rcmd@localhost", acceptorCredential: one }), {
      name: "GssError",
      code: "TARGET_NOT_ACCEPTED",
    });
  });

  test("an initiator with a ccache, a client keytab or a password", async () => {
    const ccache = await realm.kinit("bob", { ccache: "bobs" });
    const fromCcache = await Credential.initiator({ ccache });
    const info = await fromCcache.inquire();
    assert.deepEqual(
      [info.name, info.usage, info.mechanisms],
      ["bob@EXAMPLE.TEST", "initiate", [GSS_MECH_KRB5]],
    );
    const fromKeytab = await Credential.initiator({
      principal: "alice",
      ccache: `FILE:${realm.dir}/alices`,
      clientKeytab: `FILE:${realm.usersKeytab}`,
    });
    const fromPassword = await Credential.initiator({ principal: "alice", password: "alice-password" });
    for (const [credential, user] of [
      [fromCcache, "bob"],
      [fromKeytab, "alice"],
      [fromPassword, "alice"],
    ] as const) {
      const pair = await newPair({ credential });
      assert.equal(pair.acceptor.inquire().initiator, `${user}@EXAMPLE.TEST`);
      pair.close();
      credential.close();
    }
  });
});

suite("misuse", () => {
  let realm: Realm;
  before(async () => {
    realm = await Realm.start();
    realm.enter();
    await realm.kinit("alice");
  });
  after(() => realm.stop());

  const initiatorContext = () => SecurityContext.initiator({ target: Name.import("rcmd@localhost") });

  test("a credential that is not for the mechanism: nobody else's ticket is taken in its place", async () => {
    const ccache = await realm.kinit("bob", { ccache: "bobs" });
    const target = Name.import("rcmd@localhost");
    const both = [GSS_MECH_KRB5, GSS_MECH_SPNEGO];
    for (const mechanisms of [[GSS_MECH_KRB5], [GSS_MECH_SPNEGO], both]) {
      const credential = await Credential.initiator({ ccache, mechanisms });
      for (const mechanism of [undefined, ...both]) {
        const initiator = SecurityContext.initiator({ target, credential, mechanism });
        if (!credential.holds(mechanism ?? GSS_MECH_KRB5)) {
          await assert.rejects(initiator.init(null), { name: "UsageError", code: "BAD_ARGUMENT" });
          continue;
        }
        const acceptor = SecurityContext.acceptor();
        const { token } = await initiator.init(null);
        await acceptor.accept(token as Buffer);
        assert.equal(acceptor.inquire().initiator, "bob@EXAMPLE.TEST");
      }
    }
  });

  test("each role has its own call", async () => {
    await assert.rejects(initiatorContext().accept(Buffer.from("x")), {
      name: "UsageError",
      code: "WRONG_ROLE",
    });
    await assert.rejects(SecurityContext.acceptor().init(null), { name: "UsageError", code: "WRONG_ROLE" });
  });

  test("steps wait for each other, and an established context takes no more of them", async () => {
    const initiator = initiatorContext();
    const acceptor = SecurityContext.acceptor();
    const { token } = await initiator.init(null);
    const [first, second] = await Promise.allSettled([
      acceptor.accept(token as Buffer),
      acceptor.accept(token as Buffer),
    ]);
    assert.equal(first.status, "fulfilled");
    assert.equal(second.status === "rejected" && second.reason.code, "CONTEXT_ESTABLISHED");
    // The established context is none the worse for it.
    assert.equal(acceptor.established && acceptor.inquire().initiator, "alice@EXAMPLE.TEST");
  });

  test("messages before the context is established", async () => {
    const initiator = initiatorContext();
    assert.throws(() => initiator.wrap(Buffer.from("x"), true), { name: "GssError", code: "NO_CONTEXT" });
    await initiator.init(null);
    assert.throws(() => initiator.wrap(Buffer.from("x"), true), { name: "GssError", code: "NO_CONTEXT" });
    initiator.close();
  });

  test("after a failed step the context is closed", async () => {
    const acceptor = SecurityContext.acceptor();
    await assert.rejects(acceptor.accept(Buffer.from("60030102", "hex")), { code: "BAD_TOKEN" });
    await assert.rejects(acceptor.accept(Buffer.from("60030102", "hex")), {
      name: "UsageError",
      code: "HANDLE_CLOSED",
    });
    assert.equal(acceptor.established, false);
  });

  test("closing a context while its step is pending", async () => {
    const initiator = initiatorContext();
    const step = initiator.init(null);
    initiator.close();
    initiator.close();
    await step.catch((error) => assert.equal(error.code, "HANDLE_CLOSED"));
    assert.throws(() => initiator.timeLeft(), { name: "UsageError", code: "HANDLE_CLOSED" });
  });

  test("100 contexts at once", async () => {
    const credential = await Credential.acceptor();
    const target = Name.import("rcmd@localhost");
    const pairs = await Promise.all(
      Array.from({ length: 100 }, () =>
        establish(SecurityContext.initiator({ target }), SecurityContext.acceptor({ credential })),
      ),
    );
    for (const pair of pairs) {
      assert.equal(
        pair.acceptor.unwrap(pair.initiator.wrap(Buffer.from("hi"), true)).message.toString(),
        "hi",
      );
      pair.close();
    }
    credential.close();
  });
});
