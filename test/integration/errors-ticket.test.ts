/**
 * What `gssocks connect` says when a ticket is missing, expired or for the wrong place, when the KDC does not help, and
 * when the clocks differ: each message names the cause and what to do about it, and the exit status is 1.
 */
import assert from "node:assert/strict";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";
import { run, runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";

test("what connect says when the ticket is not enough", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);

  async function refusal(env: Record<string, string> = {}, ...options: string[]): Promise<string> {
    const args = ["connect", "localhost", "9", "--proxy", proxy.address, ...options];
    const { code, stdout, stderr } = await gssocks(args, { env: { ...realm.env, ...env } });
    assert.equal(code, 1, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^gssocks: [^\n]+\n$/, "one line");
    return stderr;
  }

  /** Another krb5.conf, with one text of the realm's replaced. */
  async function krb5Conf(what: string, by: string): Promise<string> {
    const text = await readFile(realm.env.KRB5_CONFIG as string, "utf8");
    assert.ok(text.includes(what));
    const file = path.join(realm.dir, "other-krb5.conf");
    await writeFile(file, text.replace(what, by));
    return file;
  }

  await t.test("no ticket", async () => {
    const ccache = `FILE:${path.join(realm.dir, "nobody-was-here")}`;
    const text = await refusal({ KRB5CCNAME: ccache });
    assert.match(text, /there is no ticket in .*: get one with kinit/);
    assert.ok(text.includes(ccache), text);
  });

  await t.test("an expired ticket", async () => {
    const ccache = await realm.kinit("alice", { ccache: "expired", lifetime: 1 });
    // The KDC knows when it is over.
    const ask = () => runToEnd("kvno", ["-c", ccache, "rcmd/localhost"], { env: realm.env });
    while ((await ask()).code === 0);
    assert.match(
      await refusal({ KRB5CCNAME: ccache }),
      /the ticket in .* has expired: get a new one with kinit/,
    );
  });

  await t.test("a service that the KDC does not know", async () => {
    const text = await refusal({}, "--service", "nosuch");
    assert.match(
      text,
      /the KDC does not know the service nosuch\/localhost@EXAMPLE\.TEST: check .*"nosuch@localhost"/,
    );
    assert.match(text, /create the principal/);
  });

  await t.test("a realm to which there is no way", async () => {
    const conf = await krb5Conf("localhost = EXAMPLE.TEST", "localhost = OTHER.TEST");
    const text = await refusal({
      KRB5_CONFIG: conf,
      KRB5CCNAME: await realm.kinit("alice", { ccache: "wrong-realm" }),
    });
    assert.match(
      text,
      /"rcmd@localhost" is taken to be in realm OTHER\.TEST, to which realm EXAMPLE\.TEST knows no way/,
    );
    assert.match(text, /\[domain_realm\]|trust/);
  });

  await t.test("a clock that differs from the KDC's", async () => {
    const ccache = await realm.kinit("alice", { ccache: "skewed-at-the-kdc" });
    await setClockOffset(ccache, 3600);
    assert.match(
      await refusal({ KRB5CCNAME: ccache }),
      /the clocks of the machines differ .*synchronise them/,
    );
  });

  await t.test("a clock that differs from the proxy's", async () => {
    const ccache = await realm.kinit("alice", { ccache: "skewed-at-the-proxy" });
    await run("kvno", ["-c", ccache, "rcmd/localhost"], { env: realm.env });
    await setClockOffset(ccache, 3600);
    assert.match(
      await refusal({ KRB5CCNAME: ccache }),
      /the proxy refused our ticket \(01 ff\); its log says why/,
    );
    const line = await proxy.waitForLog(({ msg, code }) => msg === "session failed" && code === "CLOCK_SKEW");
    assert.equal(line.step, "context establishment");
    assert.match(String(line.client), /^127\.0\.0\.1:\d+$/);
    assert.match(String(line.reason), /the clocks of the machines differ .*synchronise them/);
  });

  await t.test("a KDC that can't be reached", async () => {
    const ccache = await realm.kinit("alice", { ccache: "no-kdc" });
    const copy = path.join(realm.dir, "no-kdc-wanted");
    await run("kvno", ["-c", ccache, "rcmd/localhost"], { env: realm.env });
    await realm.kinit("alice", { ccache: "no-kdc-wanted" });
    await realm.stopKdc();
    assert.match(
      await refusal({ KRB5CCNAME: `FILE:${copy}` }),
      /no KDC of realm EXAMPLE\.TEST answers: check the network, the firewall .* and \[realms\] in krb5\.conf/,
    );
    // Whoever has the service's ticket already needs no KDC: the refusal is the destination's.
    assert.match(await refusal({ KRB5CCNAME: ccache }), /could not reach localhost:9: connection refused/);
  });
});

/**
 * Lets a ccache say that the KDC's clock was `seconds` ahead when it was made: kinit writes that down (kdc_timesync), and
 * all requests made with the ccache are dated accordingly. File format 4: version, length of the header, fields of
 * tag (1: the offset), length, seconds and microseconds.
 */
async function setClockOffset(ccache: string, seconds: number): Promise<void> {
  const file = ccache.replace(/^FILE:/, "");
  const octets = await readFile(file);
  assert.equal(octets.readUInt16BE(0), 0x0504);
  const rest = octets.subarray(4 + octets.readUInt16BE(2));
  const header = Buffer.from("0504000c000100080000000000000000", "hex");
  header.writeInt32BE(seconds, 8);
  await writeFile(`${file}.new`, Buffer.concat([header, rest]));
  await copyFile(`${file}.new`, file);
}
