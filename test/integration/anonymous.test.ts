/**
 * What is tested: anonymous initiators are refused. A ticket of `kinit -n` (RFC 8062) is as good as any other to the
 * mechanism, raw and inside SPNEGO, whether the initiator asks for anonymity or not; the log line and the audit record
 * say why it is not to us.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Credential } from "../../src/gss/credential.js";
import { DEFAULT_INITIATOR_FLAGS, GSS_C_ANON_FLAG } from "../../src/gss/flags.js";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO } from "../../src/gss/oids.js";
import { allowAnonymous } from "../support/pkinit.js";
import { run } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { type ContextOptions, RawClient } from "../support/raw-client.js";
import { refusal } from "../support/refusal.js";

test("anonymous initiators", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  await allowAnonymous(realm);

  async function assertRefused(ccache: string, principal: string, options: ContextOptions): Promise<void> {
    const mechanisms = [options.mechanism ?? GSS_MECH_KRB5];
    const credential = await Credential.initiator({ ccache, mechanisms });
    const client = await RawClient.connect(proxy.port);
    await assert.rejects(client.authenticate({ credential, ...options }), /01ff/);
    const line = await refusal(proxy, client.address, "denied");
    assert.deepEqual(
      [line.code, line.step, line.principal, line.reason],
      ["ANONYMOUS", "context establishment", principal, "the client is anonymous"],
    );
    client.close();
    credential.close();
  }

  const ccache = `FILE:${realm.dir}/anonymous`;
  await run("kinit", ["-c", ccache, "-n"], { env: realm.env });
  const nobody = "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS";
  await t.test("krb5", () => assertRefused(ccache, nobody, {}));
  await t.test("krb5, asking for anonymity", () =>
    assertRefused(ccache, nobody, { flags: DEFAULT_INITIATOR_FLAGS | GSS_C_ANON_FLAG }),
  );
  await t.test("SPNEGO", () => assertRefused(ccache, nobody, { mechanism: GSS_MECH_SPNEGO }));
});
