/**
 * `gssocks mechs`: the table and the JSON, without plugins and with one, against what python3-gssapi sees of the same
 * library. What the command calls a mechanism is what gssapi.mechanisms takes for it.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { parseMechanism } from "../../src/gss/oids.js";
import { gssocks } from "../support/gssocks.js";
import { usePlugin } from "../support/ntlmssp.js";
import { run } from "../support/processes.js";

interface Mechanism {
  name: string;
  oid: string;
  description: string;
  integrity: boolean | null;
  confidentiality: boolean | null;
  default: boolean;
  attributes: string[];
}

const PEER = `
import gssapi, json
print(json.dumps({mech.dotted_form: len(gssapi.raw.inquire_attrs_for_mech(mech).mech_attrs)
                  for mech in gssapi.raw.indicate_mechs()}))
`;

async function list(env: Record<string, string>): Promise<Mechanism[]> {
  const { code, stdout, stderr } = await gssocks(["mechs", "--json"], { env });
  assert.deepEqual([code, stderr], [0, ""]);
  const mechanisms = JSON.parse(stdout) as Mechanism[];
  for (const { name, oid } of mechanisms) assert.equal(parseMechanism(name), oid);
  const peer = JSON.parse((await run("/usr/bin/python3", ["-c", PEER], { env })).stdout);
  assert.deepEqual(
    Object.fromEntries(mechanisms.map(({ oid, attributes }) => [oid, attributes.length])),
    peer,
  );
  return mechanisms;
}

test("gssocks mechs", async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), "mechs-"));
  t.after(() => rm(dir, { recursive: true }));
  usePlugin();
  const plugin = { GSS_MECH_CONFIG: process.env.GSS_MECH_CONFIG as string };
  const none = { GSS_MECH_CONFIG: path.join(dir, "none") };
  await writeFile(none.GSS_MECH_CONFIG, "");
  const protections = (mechanisms: Mechanism[]) =>
    Object.fromEntries(
      mechanisms.map((each) => [each.name, [each.integrity, each.confidentiality, each.default]]),
    );
  const own = { krb5: [true, true, true], iakerb: [true, true, false], spnego: [null, null, true] };

  await t.test("what MIT's library has of its own", async () => {
    const mechanisms = await list(none);
    assert.deepEqual(protections(mechanisms), own);
    const krb5 = mechanisms.find(({ name }) => name === "krb5");
    assert.match(String(krb5?.description), /Kerberos/);
    for (const attribute of ["INTEG_PROT", "CONF_PROT", "WRAP", "REPLAY_DET", "OOS_DET"])
      assert.ok(krb5?.attributes.includes(attribute), attribute);
  });

  await t.test("a plugin", async () => {
    assert.deepEqual(protections(await list(plugin)), { ...own, ntlmssp: [true, true, false] });
  });

  await t.test("the table", async () => {
    const { code, stdout, stderr } = await gssocks(["mechs"], { env: none });
    assert.deepEqual([code, stderr], [0, ""]);
    const [table = "", fastPath] = stdout.split("\n\n");
    const rows = table.split("\n").map((line) => line.split(/ {2,}/));
    assert.deepEqual(rows[0], ["NAME", "OID", "INTEGRITY", "CONFIDENTIALITY", "DEFAULT", "ATTRIBUTES"]);
    assert.deepEqual(
      rows
        .slice(1)
        .map((row) => row.slice(0, 5))
        .sort(),
      [
        ["iakerb", "1.3.6.1.5.2.5", "yes", "yes", "no"],
        ["krb5", "1.2.840.113554.1.2.2", "yes", "yes", "yes"],
        ["spnego", "1.3.6.1.5.5.2", "negotiated", "negotiated", "yes"],
      ],
    );
    assert.match(String(fastPath), /^Fast path for krb5 with AES: (libipsec-mb [0-9.]+, )?OpenSSL\n$/);
  });
});
