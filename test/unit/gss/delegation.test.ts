/** Acting in somebody's place: a delegated ticket that is stored, S4U2Self, and what the KDC refuses. Names as texts. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, suite, test } from "node:test";
import {
  Credential,
  DEFAULT_INITIATOR_FLAGS,
  GSS_C_DELEG_FLAG,
  GSS_MECH_KRB5,
  GSS_MECH_SPNEGO,
  GssError,
  mechanisms,
  Name,
  SecurityContext,
} from "../../../src/gss/index.js";
import { run } from "../../support/processes.js";
import { Realm } from "../../support/realm.js";
import { establish, newPair } from "./establish.js";

suite("delegation", () => {
  let realm: Realm;
  before(async () => {
    realm = await Realm.start();
    realm.enter();
    await realm.kinit("alice");
  });
  after(() => realm.stop());

  test("a delegated ticket is stored where others find it, and not over somebody's", async () => {
    const pair = await newPair({ flags: DEFAULT_INITIATOR_FLAGS | GSS_C_DELEG_FLAG });
    const delegated = pair.acceptor.takeDelegated();
    assert.ok(delegated);
    assert.equal(delegated.impersonation, null);
    const ccache = `FILE:${path.join(realm.dir, "stored")}`;
    await delegated.store({ ccache });
    const { stdout } = await run("klist", ["-c", ccache], { env: realm.env });
    assert.match(stdout, /Default principal: alice@EXAMPLE\.TEST[\s\S]*krbtgt\/EXAMPLE\.TEST@EXAMPLE\.TEST/);
    const credential = await Credential.initiator({ ccache });
    const second = await newPair({ credential });
    assert.equal(second.acceptor.inquire().initiator, "alice@EXAMPLE.TEST");
    await assert.rejects(delegated.store({ ccache }), { name: "GssError", code: "CCACHE_TAKEN" });
    await delegated.store({ ccache, overwrite: true });
    for (const closable of [pair, second, credential, delegated]) closable.close();
    await assert.rejects(delegated.store({ ccache }), { name: "UsageError", code: "HANDLE_CLOSED" });
  });

  test("S4U2Self: a service has the KDC name a user to it, without the user", async () => {
    const name = Name.import("rcmd@localhost");
    const keytab = `FILE:${realm.keytab}`;
    const service = await Credential.both({ name, keytab, clientKeytab: keytab, ccache: "MEMORY:service" });
    assert.equal((await service.inquire()).usage, "both");
    const bob = await service.impersonate("bob");
    const pair = await newPair({ credential: bob, acceptorCredential: service });
    assert.equal(pair.acceptor.inquire().initiator, "bob@EXAMPLE.TEST");
    const impersonation = { impersonator: "rcmd/localhost@EXAMPLE.TEST", forwardable: true };
    assert.deepEqual(pair.acceptor.delegated?.impersonation, impersonation);

    await assert.rejects(newPair({ credential: bob, target: "host@localhost" }), (error) => {
      assert.ok(error instanceof GssError);
      return error.code === "DELEGATION_REFUSED";
    });
    await assert.rejects(service.impersonate("nobody-of-that-name"), { code: "CLIENT_UNKNOWN" });
    for (const closable of [pair, bob, service, name]) closable.close();
  });

  test("a target may be a text, of a service or of a principal", async () => {
    for (const target of ["rcmd@localhost", `rcmd/localhost@${realm.name}`]) {
      const acceptor = await Credential.acceptor();
      const pair = await establish(
        SecurityContext.initiator({ target }),
        SecurityContext.acceptor({ credential: acceptor }),
      );
      assert.equal(pair.initiator.inquire().acceptor, `rcmd/localhost@${realm.name}`);
      pair.close();
      acceptor.close();
    }
    assert.throws(() => SecurityContext.initiator({ target: "a\0b" }), { code: "BAD_ARGUMENT" });
  });

  test("the mechanisms of the machine", () => {
    const names = new Map(mechanisms().map(({ name, oid, saslName }) => [name, [oid, saslName]]));
    assert.deepEqual(names.get("krb5"), [GSS_MECH_KRB5, "GS2-KRB5"]);
    assert.equal(names.get("spnego")?.[0], GSS_MECH_SPNEGO);
  });
});
