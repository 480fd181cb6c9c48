/**
 * What is tested: established security contexts that the server refuses all the same, with `01 ff` and a reason in log and
 * audit record: a target name or a mechanism that the configuration does not list, and an anonymous initiator.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO } from "../../src/gss/oids.js";
import { run } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { type ContextOptions, RawClient } from "../support/raw-client.js";

interface Refusal {
  code: string;
  reason: RegExp;
  outcome: "denied" | "failed";
}

async function assertTaken(proxy: ProxyServer, options: ContextOptions): Promise<void> {
  (await RawClient.ready(proxy, options)).close();
}

/** `01 ff`, then the end, at once (RFC 1961 §3.8). */
async function assertRefused(
  proxy: ProxyServer,
  options: ContextOptions,
  { code, reason, outcome }: Refusal,
): Promise<void> {
  const client = await RawClient.connect(proxy.port);
  await assert.rejects(client.authenticate(options), /the proxy closed \(end\) after 01ff,/);
  const record = await proxy.audit((each) => each.client === client.address);
  assert.deepEqual([record.code, record.outcome], [code, outcome]);
  assert.match(String(record.reason), reason);
  const line = await proxy.waitForLog(
    (each) => each.msg === "session failed" && each.client === client.address,
  );
  assert.deepEqual([line.code, line.step], [code, "context establishment"]);
  client.close();
}

test("a target name that gssapi.targetNames does not list", async (t) => {
  const targetNames = ["rcmd@localhost", "host/localhost@EXAMPLE.TEST"];
  const { proxy } = await proxiedRealm(t, { gssapi: { targetNames } });
  await assertTaken(proxy, { target: "rcmd@localhost" });
  await assertTaken(proxy, { target: "host@localhost" });
  await assertRefused(
    proxy,
    { target: "socks@localhost" },
    {
      code: "TARGET_NOT_ALLOWED",
      reason: /^the client asked for socks\/localhost@EXAMPLE\.TEST, which is not in gssapi\.targetNames$/,
      outcome: "denied",
    },
  );
});

test("a mechanism that gssapi.mechanisms does not list", async (t) => {
  const krb5 = await proxiedRealm(t, { gssapi: { mechanisms: ["krb5"] } });
  await assertTaken(krb5.proxy, { mechanism: GSS_MECH_KRB5 });
  await assertRefused(
    krb5.proxy,
    { mechanism: GSS_MECH_SPNEGO },
    {
      code: "MECHANISM_NOT_ACCEPTED",
      reason: /mechanism/,
      outcome: "failed",
    },
  );
});

test("an anonymous initiator", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  await realm.addPrincipal("WELLKNOWN/ANONYMOUS", "anonymous-password");
  // What `kinit -n` gets needs PKINIT; S4U2Self gives the proxy's service a ticket of the same client.
  const [service, ccache] = ["service", "anonymous"].map((file) => `FILE:${path.join(realm.dir, file)}`);
  const options = { env: realm.env };
  await run("kinit", ["-c", `${service}`, "-k", "-t", realm.keytab, "rcmd/localhost"], options);
  const forClient = ["-I", "WELLKNOWN/ANONYMOUS", "--out-cache", `${ccache}`, "rcmd/localhost"];
  await run("kvno", ["-c", `${service}`, ...forClient], options);
  realm.enter(ccache);
  await assertRefused(
    proxy,
    {},
    {
      code: "ANONYMOUS",
      reason: /^the client is anonymous \(WELLKNOWN\/ANONYMOUS@EXAMPLE\.TEST\)$/,
      outcome: "denied",
    },
  );
});
