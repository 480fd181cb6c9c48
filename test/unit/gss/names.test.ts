/** Names, OIDs and flags; names by the krb5 mechanism of a real library, without a KDC. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { UsageError } from "../../../src/errors.js";
import {
  describeSupplementary,
  GSS_S_GAP_TOKEN,
  GSS_S_OLD_TOKEN,
  routineError,
  supplementaryInfo,
} from "../../../src/gss/flags.js";
import { isAnonymous, Name } from "../../../src/gss/name.js";
import { native } from "../../../src/gss/native.js";
import {
  GSS_C_NT_ANONYMOUS,
  GSS_C_NT_EXPORT_NAME,
  GSS_C_NT_HOSTBASED_SERVICE,
  GSS_MECH_IAKERB,
  GSS_MECH_KRB5,
  GSS_MECH_SPNEGO,
  mechanismName,
  parseMechanism,
} from "../../../src/gss/oids.js";
import { Realm } from "../../support/realm.js";

suite("names", () => {
  let realm: Realm;
  before(async () => {
    realm = await Realm.start();
    realm.enter();
  });
  after(() => realm.stop());

  test("a service becomes a principal of the host's realm", async () => {
    const name = Name.import("rcmd@localhost");
    assert.equal(name.toString(), "rcmd@localhost");
    assert.equal(name.nameType, GSS_C_NT_HOSTBASED_SERVICE);
    const canonical = await name.canonicalize(GSS_MECH_KRB5);
    assert.equal(canonical.toString(), "rcmd/localhost@EXAMPLE.TEST");
    const principal = Name.import("rcmd/localhost@EXAMPLE.TEST", "krb5-principal");
    assert.equal(canonical.equals(principal), true);
    assert.equal(canonical.equals(Name.import("socks/localhost", "krb5-principal")), false);
  });

  test("an exported name comes back as the same name", async () => {
    const canonical = await Name.import("alice", "user").canonicalize(GSS_MECH_KRB5);
    const again = Name.import(canonical.export(), GSS_C_NT_EXPORT_NAME);
    assert.equal(again.toString(), "alice@EXAMPLE.TEST");
    assert.equal(again.equals(canonical), true);
  });

  test("a name that no mechanism has canonicalized has no exported form", () => {
    assert.throws(() => Name.import("alice", "user").export(), { name: "GssError", call: "gss_export_name" });
  });

  test("the local user is the principal's first component, of this realm only", async () => {
    assert.equal(await Name.import("alice@EXAMPLE.TEST", "user").localName(GSS_MECH_KRB5), "alice");
    await assert.rejects(Name.import("alice@ELSEWHERE.TEST", "user").localName(GSS_MECH_KRB5), {
      name: "GssError",
    });
  });

  test("a NUL is refused: the library would read another name", () => {
    assert.throws(() => Name.import("root\0@localhost"), UsageError);
  });

  test("an empty name is refused with its cause", () => {
    assert.throws(() => Name.import(""), { name: "GssError", code: "BAD_NAME" });
  });

  test("anonymous names, of the type or by Kerberos' own principal", async () => {
    const table: [principal: string, anonymous: boolean][] = [
      ["WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS", true],
      ["WELLKNOWN/ANONYMOUS@EXAMPLE.TEST", true],
      ["WELLKNOWN/ANONYMOUS2@EXAMPLE.TEST", false],
      ["alice/WELLKNOWN/ANONYMOUS@EXAMPLE.TEST", false],
      ["alice@EXAMPLE.TEST", false],
    ];
    for (const [principal, anonymous] of table) {
      const name = await Name.import(principal, "krb5-principal").canonicalize(GSS_MECH_KRB5);
      const shown = { text: name.toString(), nameType: name.nameType };
      assert.equal(isAnonymous(shown), anonymous, `${principal} is shown as ${JSON.stringify(shown)}`);
    }
    assert.equal(isAnonymous({ text: "", nameType: GSS_C_NT_ANONYMOUS }), true);
  });

  test("a closed name says so", () => {
    const name = Name.import("rcmd@localhost");
    name.close();
    name.close();
    assert.throws(() => name.toString(), { name: "UsageError", code: "HANDLE_CLOSED" });
  });
});

test("mechanisms have short names", () => {
  assert.equal(parseMechanism("KRB5"), GSS_MECH_KRB5);
  assert.equal(parseMechanism("1.3.6.1.5.5.2"), GSS_MECH_SPNEGO);
  assert.equal(parseMechanism("1.03"), undefined);
  assert.equal(parseMechanism("kerberos"), undefined);
  assert.equal(mechanismName(GSS_MECH_IAKERB), "iakerb");
  assert.equal(mechanismName("1.2.3"), "1.2.3");
});

test("the library knows the mechanisms we name, their names and attributes", () => {
  const mechanisms = native.indicateMechs();
  for (const oid of [GSS_MECH_KRB5, GSS_MECH_SPNEGO, GSS_MECH_IAKERB])
    assert.ok(mechanisms.includes(oid), oid);
  assert.equal(native.inquireSaslnameForMech(GSS_MECH_KRB5).saslName, "GS2-KRB5");
  assert.ok(native.inquireNamesForMech(GSS_MECH_KRB5).includes(GSS_C_NT_HOSTBASED_SERVICE));
  // GSS_C_MA_CONF_PROT (RFC 5587 §3.3).
  const { attributes, known } = native.inquireAttrsForMech(GSS_MECH_KRB5);
  assert.ok(attributes.includes("1.3.6.1.5.5.13.20"));
  assert.ok(known.includes("1.3.6.1.5.5.13.20"));
  assert.throws(() => native.inquireSaslnameForMech("1.2.3.4"), { code: "ERR_GSS", mechanism: "1.2.3.4" });
});

test("OIDs that are none are refused before the library sees them", () => {
  for (const oid of [
    "",
    "1",
    "1.",
    ".1",
    "3.1",
    "0.40",
    "1.2.",
    "1..2",
    "1.02",
    "1.2.99999999999999999999",
    "1.2.x",
  ]) {
    assert.throws(() => native.inquireNamesForMech(oid), { code: "ERR_INVALID_ARG_TYPE" }, oid);
  }
});

test("a major status comes apart", () => {
  assert.equal(routineError(0x000d0011), 0x000d0000);
  assert.equal(supplementaryInfo(0x000d0014), GSS_S_OLD_TOKEN | GSS_S_GAP_TOKEN);
  assert.equal(
    describeSupplementary(GSS_S_OLD_TOKEN | GSS_S_GAP_TOKEN),
    "old token, gap in the token sequence",
  );
  assert.match(native.displayMajorStatus(0x000c0000), /context has expired/);
});
