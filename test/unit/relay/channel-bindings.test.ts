// tls-server-end-point of certificates that openssl made, against the hashes that openssl takes of them.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { serverEndPointBindings } from "../../../src/relay/channel-bindings.js";
import { run, runToEnd } from "../../support/processes.js";

const RSA = ["-newkey", "rsa:2048"];
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const PSS = [...RSA, "-sigopt", "rsa_padding_mode:pss"];

/** RFC 5929 §4.1: the signature's hash, but SHA-256 for MD5 and SHA-1; and where it has none, as others do. */
const CERTIFICATES: readonly [what: string, options: readonly string[], hash: string][] = [
  ["RSA and SHA-256", [...RSA, "-sha256"], "sha256"],
  ["RSA and SHA-384", [...RSA, "-sha384"], "sha384"],
  ["RSA and SHA-512", [...RSA, "-sha512"], "sha512"],
  ["RSA and SHA-224", [...RSA, "-sha224"], "sha224"],
  ["RSA and SHA-1", [...RSA, "-sha1"], "sha256"],
  ["RSA and MD5", [...RSA, "-md5"], "sha256"],
  ["ECDSA and SHA-256", [...EC, "-sha256"], "sha256"],
  ["ECDSA and SHA-384", [...EC, "-sha384"], "sha384"],
  ["ECDSA and SHA-512", [...EC, "-sha512"], "sha512"],
  ["ECDSA and SHA-1", [...EC, "-sha1"], "sha256"],
  ["Ed25519", ["-newkey", "ed25519"], "sha256"],
  ["RSA-PSS and SHA-256", [...PSS, "-sha256"], "sha256"],
  ["RSA-PSS and SHA-384", [...PSS, "-sha384"], "sha384"],
  ["RSA-PSS and SHA-512", [...PSS, "-sha512"], "sha512"],
  ["RSA-PSS and SHA-224", [...PSS, "-sha224"], "sha224"],
  ["RSA-PSS and SHA-1", [...PSS, "-sha1"], "sha256"],
  // Longer than 127, 255 and 65535 octets: each has lengths of another form.
  ["a long certificate", [...EC, "-sha384", "-addext", `nsComment=${"long ".repeat(14_000)}`], "sha384"],
];

for (const [what, options, hash] of CERTIFICATES) {
  test(`tls-server-end-point: ${what}`, async (t) => {
    const dir = mkdtempSync(path.join(tmpdir(), "bindings-"));
    t.after(() => rmSync(dir, { recursive: true }));
    const file = path.join(dir, "certificate.der");
    const output = ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-outform", "DER", "-out", file];
    const made = await runToEnd("openssl", [
      "req",
      "-x509",
      ...options,
      ...output,
      "-keyout",
      path.join(dir, "key"),
    ]);
    assert.equal(made.code, 0, made.stderr);
    const der = readFileSync(file);
    const { stdout } = await run("openssl", ["dgst", `-${hash}`, "-r", file]);
    const bindings = serverEndPointBindings(der);
    assert.equal(bindings.toString("latin1", 0, 21), "tls-server-end-point:");
    assert.equal(bindings.toString("hex", 21), stdout.split(" ")[0]);
    // As a TLS socket hands it over.
    assert.deepEqual(serverEndPointBindings(new X509Certificate(der).raw), bindings);
  });
}

test("what is no certificate has no bindings", () => {
  for (const octets of [Buffer.alloc(0), Buffer.from("3003020101", "hex")])
    assert.throws(() => serverEndPointBindings(octets));
});
