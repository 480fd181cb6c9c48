/**
 * What is tested: `gssocks serve` does not take passwords in clear from a network unless the configuration says so: exit
 * status 2 before anything listens, and with acceptClearTextPasswords or TLS an attempt to listen, on an address that is
 * not this host's.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { makeAuthority } from "../support/certificates.js";
import { gssocks } from "../support/gssocks.js";
import { scratch } from "../support/identd.js";

const ELSEWHERE = "192.0.2.1:1080";

test("passwords in clear", async (t) => {
  const dir = await scratch(t);
  const tls = await makeAuthority(dir);
  const users = path.join(dir, "users");
  await writeFile(users, "", { mode: 0o600 });
  const config = path.join(dir, "config.yaml");

  async function serve(listener: Record<string, unknown>) {
    const listeners = [{ address: ELSEWHERE, ...listener }];
    await writeFile(config, JSON.stringify({ listeners, passwords: { file: users } }));
    return gssocks(["serve", "--config", config]);
  }

  const clear =
    "passwords would cross the network in clear: add tls, listen on loopback, or say acceptClearTextPasswords: true";
  for (const listener of [
    { methods: ["password"] },
    { methods: ["password"], address: "*:0" },
    { methods: ["password", "none"], acceptClearTextPasswords: false },
    { methods: ["none"], sources: [{ from: ["10.0.0.0/8"], methods: ["password"] }] },
  ]) {
    await t.test(`refused: ${JSON.stringify(listener)}`, async () => {
      const { code, stdout, stderr } = await serve(listener);
      const says = `gssocks: ${config}:1: listeners[0].methods: ${clear}\n`;
      assert.deepEqual({ code, stdout, stderr }, { code: 2, stdout: "", stderr: says });
    });
  }

  for (const listener of [
    { methods: ["password"], acceptClearTextPasswords: true },
    { methods: ["password"], tls },
  ]) {
    await t.test(`taken: ${Object.keys(listener)}`, async () => {
      const { code, stderr } = await serve(listener);
      assert.equal(code, 1);
      assert.match(stderr, /^gssocks: can't listen on 192\.0\.2\.1 port 1080: EADDRNOTAVAIL/);
    });
  }
});
