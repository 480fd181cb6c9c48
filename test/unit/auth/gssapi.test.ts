// RFC 1961 §4.1: no level is agreed on that the context cannot give. MIT's Kerberos always grants both services, so the
// flags of a real context are replaced here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GssapiMethod } from "../../../src/auth/gssapi.js";
import { GSS_C_CONF_FLAG, GSS_C_INTEG_FLAG, GSS_C_MUTUAL_FLAG } from "../../../src/gss/flags.js";
import { GSS_MECH_KRB5 } from "../../../src/gss/oids.js";
import { Realm } from "../../support/realm.js";

test("the levels are cut down to what ret_flags allow", async (t) => {
  const realm = await Realm.start();
  t.after(() => realm.stop());
  realm.enter();
  const method = await GssapiMethod.create({ keytab: `FILE:${realm.keytab}`, mechanisms: [GSS_MECH_KRB5] });
  t.after(() => method.close());
  const exchange = method.begin();
  t.after(() => exchange.close());
  const both = ["confidentiality", "integrity"] as const;
  const all = ["none", ...both] as const;
  for (const [flags, allowed, left] of [
    [GSS_C_INTEG_FLAG | GSS_C_CONF_FLAG, both, both],
    [GSS_C_INTEG_FLAG, both, ["integrity"]],
    [GSS_C_INTEG_FLAG, ["confidentiality"], []],
    [GSS_C_CONF_FLAG, both, []],
    [GSS_C_MUTUAL_FLAG, both, []],
    [GSS_C_MUTUAL_FLAG, all, ["none"]],
    [GSS_C_INTEG_FLAG | GSS_C_CONF_FLAG, all, all],
  ] as const) {
    Object.defineProperty(exchange.context, "flags", { value: flags, configurable: true });
    assert.deepEqual(exchange.levels(allowed), left, `flags ${flags}, allowed ${allowed}`);
  }
});
