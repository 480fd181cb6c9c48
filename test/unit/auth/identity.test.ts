// What a client certificate says of its holder: real certificates of openssl's, with names of each kind and with such as
// somebody could have had signed in order to be taken for somebody else.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { CERTIFICATE_NAMES, type CertificateName, certificateIdentity } from "../../../src/auth/identity.js";
import { makeAuthority, makeCertificate } from "../../support/certificates.js";

/** RFC 5280 §4.2.1.6: the tags of GeneralName, and an IP address and an otherName to have others between. */
const TAGS = {
  email: 0x81,
  dns: 0x82,
  uri: 0x86,
  ip: 0x87,
  registered: 0x88,
  other: 0xa0,
  x400: 0xa3,
} as const;

type Name = readonly [kind: keyof typeof TAGS, octets: string | Buffer];

/** As an extension's octets, so that a name may hold anything. */
function der(names: readonly Name[]): string {
  const encoded = names.map(([kind, value]) => {
    const octets = Buffer.from(value as string);
    return Buffer.concat([Buffer.of(TAGS[kind], octets.length), octets]);
  });
  const list = Buffer.concat(encoded);
  assert.ok(list.length < 128, "one octet of length");
  return names.length === 0
    ? ""
    : `DER:30${list.length.toString(16).padStart(2, "0")}${list.toString("hex")}`;
}

test("who a certificate speaks for", async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), "identity-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const authority = await makeAuthority(dir);

  async function principals(subject: string, names: readonly Name[]) {
    const { certificate } = await makeCertificate(dir, "user", der(names), authority, subject);
    const parsed = new X509Certificate(readFileSync(certificate));
    const said = (by: CertificateName) => certificateIdentity(parsed, by)?.principal ?? null;
    return Object.fromEntries(CERTIFICATE_NAMES.map((by) => [by, said(by)]));
  }
  const nobody = { subject: null, email: null, dns: null, uri: null };

  await t.test("each kind of name, whatever stands before it", async () => {
    const others: Name[] = [
      ["ip", Buffer.of(192, 0, 2, 1)],
      // id-on-xmppAddr (RFC 6120 §13.7.1.4), UTF8String "alice@x".
      ["other", Buffer.from("06082b06010505070805a0090c07616c6963654078", "hex")],
      ["registered", Buffer.of(0x2a, 0x03)],
      ["x400", Buffer.from("3000", "hex")],
    ];
    const names: Name[] = [
      ["email", "alice@example.test"],
      ["dns", "alice.example.test"],
      ["uri", "https://example.test/alice?a=b"],
    ];
    const said = {
      subject: "CN=alice, OU=Staff, O=Example",
      email: "alice@example.test",
      dns: "alice.example.test",
      uri: "https://example.test/alice?a=b",
    };
    const subject = "/O=Example/OU=Staff/CN=alice";
    assert.deepEqual(await principals(subject, names), said);
    for (const other of others) {
      const at = await principals(subject, [other, ...names.slice(0, 2)]);
      assert.deepEqual(at, { ...said, uri: null }, other[0]);
    }
  });

  await t.test("all that an identity holds", async () => {
    const { certificate } = await makeCertificate(dir, "alice", "", authority);
    assert.deepEqual(certificateIdentity(new X509Certificate(readFileSync(certificate)), "subject"), {
      method: "certificate",
      principal: "CN=alice",
      kerberos: false,
      mechanism: null,
      acceptor: null,
    });
  });

  await t.test("of several names of a kind the first counts", async () => {
    const names: Name[] = [
      ["dns", "a.test"],
      ["email", "first@a.test"],
      ["email", "second@a.test"],
      ["dns", "b.test"],
    ];
    const said = await principals("/CN=a/CN=b", names);
    assert.deepEqual(said, { subject: "CN=b, CN=a", email: "first@a.test", dns: "a.test", uri: null });
  });

  await t.test("no name is nobody", async () => {
    assert.deepEqual(await principals("/", [["ip", Buffer.of(192, 0, 2, 1)]]), nobody);
    assert.deepEqual(await principals("/", [["email", ""]]), nobody);
    assert.deepEqual(await principals("/CN=alice", []), { ...nobody, subject: "CN=alice" });
  });

  const tricks: readonly [what: string, value: string | Buffer][] = [
    ["another name behind a comma", "eve@x, email:alice@example.test"],
    ["another name in quotes", '", email:alice@example.test, "'],
    ["all of it in quotes", '"alice@example.test"'],
    ["in single quotes", "'alice@example.test'"],
    ["a quote and a backslash", 'a\\", email:alice@example.test'],
    ["a NUL behind the name", "alice@example.test\0.eve.test"],
    ["a line's end", "eve@x\nemail:alice@example.test"],
    ["an escape", "alice\x1b[2K@example.test"],
    ["a character that turns the text round", "\u202etset.elpmaxe@ecila"],
    ["a letter that looks like another, in Latin-1", Buffer.from("61l\xefce@example.test", "latin1")],
    ["no text at all", Buffer.from("fffefd", "hex")],
  ];
  for (const [what, value] of tricks) {
    await t.test(`a trick is nobody: ${what}`, async () => {
      for (const kind of ["email", "dns", "uri"] as const) {
        // Neither as itself nor as the name behind it, nor does another kind's take its place.
        const others = (["email", "dns", "uri"] as const).filter((each) => each !== kind);
        const said = await principals("/CN=eve", [[kind, value]]);
        assert.deepEqual(said, { ...nobody, subject: "CN=eve" }, kind);
        const [other] = others;
        const behind = await principals("/CN=eve", [
          [kind, value],
          [kind, "alice@example.test"],
          [other as "email", "eve.test"],
        ]);
        assert.deepEqual([behind[kind], behind[other as string]], [null, "eve.test"], kind);
      }
    });
  }

  const subjects: readonly [what: string, subject: string, said: string | null][] = [
    ["a comma", "/CN=alice, O=Example", "CN=alice\\, O=Example"],
    ["a plus sign", "/CN=alice\\+O=Example", "CN=alice\\+O=Example"],
    ["two attributes of one part", "/CN=alice+UID=7", "CN=alice + UID=7"],
    ["an equals sign", "/CN=eve/O=x\\/CN=alice", "O=x/CN=alice, CN=eve"],
    ["spaces at the ends", "/CN= alice ", "CN=\\ alice\\ "],
    ["letters beyond ASCII", "/CN=älice", "CN=älice"],
    ["quotes", '/CN="alice"', null],
    ["a line's end", "/CN=eve\nCN=alice", "CN=eve\\0ACN=alice"],
    ["a character that turns the text round", "/CN=\u202eecila", null],
    ["a line separator", "/CN=eve\u2028CN=alice", null],
  ];
  for (const [what, subject, said] of subjects) {
    await t.test(`a subject stays what it is: ${what}`, async () => {
      assert.deepEqual(await principals(subject, []), { ...nobody, subject: said });
    });
  }
});
