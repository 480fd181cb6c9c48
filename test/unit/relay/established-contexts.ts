/** Real security contexts, both ends in this process, with tickets of a realm of the test's own. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Credential } from "../../../src/gss/credential.js";
import { Name } from "../../../src/gss/name.js";
import { SecurityContext } from "../../../src/gss/security-context.js";
import { Realm, type RealmOptions } from "../../support/realm.js";

export interface Pair {
  initiator: SecurityContext;
  acceptor: SecurityContext;
}

/** Makes an established pair. @param flags what the initiator asks for, if not the default ones */
export type Establish = (flags?: number) => Promise<Pair>;

/** Starts a realm, signs alice in, and gives a maker of established pairs. All is undone when the test ends. */
export async function contexts(test: TestContext, options: RealmOptions = {}): Promise<Establish> {
  const realm = await Realm.start(options);
  test.after(() => realm.stop());
  realm.enter(await realm.kinit("alice"));
  const target = Name.import("rcmd@localhost");
  const credential = await Credential.acceptor({ keytab: `FILE:${realm.keytab}` });
  const made: { close(): void }[] = [target, credential];
  test.after(() => {
    for (const handle of made) handle.close();
  });
  return async (flags) => {
    const initiator = SecurityContext.initiator({ target, flags });
    const acceptor = SecurityContext.acceptor({ credential });
    made.push(initiator, acceptor);
    for (let token: Buffer | null = null; !initiator.established || !acceptor.established; ) {
      const fromInitiator = await initiator.init(token);
      if (fromInitiator.token === null) break;
      token = (await acceptor.accept(fromInitiator.token)).token;
    }
    assert.ok(initiator.established && acceptor.established);
    return { initiator, acceptor };
  };
}
