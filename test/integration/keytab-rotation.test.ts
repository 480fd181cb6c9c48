/**
 * What is tested: the service's key is changed while the server runs, without a restart. A new key version is added to
 * the keytab: tickets for either get in, and sessions go on. The old version is removed, or the keytab replaced by
 * rename with one that holds the newest alone: new tickets get in, old ones are refused with a message that names the
 * kvno and says that it is the ticket that is old.
 */
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Credential } from "../../src/gss/credential.js";
import { assertEchoes } from "../support/conversation.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";
import { refusal } from "../support/refusal.js";

test("keytab rotation while serving", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());

  /** A user with a ticket for the key version that the KDC has now: the first session puts it into the ccache. */
  async function ticket(ccache: string): Promise<Credential> {
    const credential = await Credential.initiator({ ccache: await realm.kinit("alice", { ccache }) });
    t.after(() => credential.close());
    await assertIn(credential);
    return credential;
  }

  async function assertIn(credential: Credential): Promise<void> {
    const client = await RawClient.through(proxy, origin, { credential });
    await assertEchoes(client);
    client.close();
  }

  async function assertRefused(credential: Credential, kvno: number): Promise<void> {
    const client = await RawClient.connect(proxy.port);
    await assert.rejects(client.authenticate({ credential }), /01ff/);
    client.close();
    const { code, step, reason } = await refusal(proxy, client.address);
    assert.deepEqual([code, step], ["TICKET_OLD_KVNO", "context establishment"]);
    const says = new RegExp(
      `the keytab FILE:\\S+service\\.keytab no longer has the key \\(kvno ${kvno}\\) of the ticket for rcmd/localhost@EXAMPLE\\.TEST.*kinit`,
    );
    assert.match(String(reason), says);
  }

  const second = await ticket("kvno2");
  const open = await RawClient.through(proxy, origin, { credential: second });

  await realm.ktadd("rcmd/localhost");
  const third = await ticket("kvno3");

  await t.test("a key version is added: tickets for the new one and for the old one get in", async () => {
    await assertIn(third);
    await assertIn(second);
    await assertEchoes(open);
  });

  await t.test("the old version is removed: the old ticket is refused, the session goes on", async () => {
    await realm.kadmin([`ktremove -q -k ${realm.keytab} rcmd/localhost 2`]);
    await assertRefused(second, 2);
    await assertIn(third);
    await assertEchoes(open);
  });

  await t.test("the keytab is replaced by rename", async () => {
    const next = path.join(realm.dir, "next.keytab");
    await realm.ktadd("rcmd/localhost", next);
    await rename(next, realm.keytab);
    await ticket("kvno4");
    await assertRefused(third, 3);
    await assertEchoes(open);
  });
  open.close();
});
