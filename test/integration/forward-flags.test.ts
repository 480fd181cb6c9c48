/**
 * What is tested: what the flags of `gssocks forward` come to at a real proxy: each way to show it who its user is, levels, names,
 * NEC mode, TLS by authority, name and pin, HTTP; the order of several proxies. `--users`: a password of the forwarder's own, for
 * programs of any user and by every protocol that has passwords, and for none without.
 */
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { CAROL } from "../support/command-client.js";
import { Forwarder } from "../support/forwarder.js";
import { Origin } from "../support/origin.js";
import { usersFile } from "../support/passwords.js";
import { runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import type { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const ALICE = "alice@EXAMPLE.TEST";

async function web(t: TestContext): Promise<string> {
  const answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello";
  const origin = await Origin.start((socket) => socket.once("data", () => socket.end(answer)));
  t.after(() => origin.stop());
  return `http://localhost:${origin.port}/`;
}

async function forwarder(t: TestContext, realm: Realm, args: readonly string[]): Promise<Forwarder> {
  const started = await Forwarder.start(args, { ...realm.env, KRB5CCNAME: process.env.KRB5CCNAME });
  showOnFailure(t, async () => started.logs());
  t.after(() => started.stop());
  return started;
}

function curl(through: string, url: string, ...more: string[]) {
  return ["curl", "-q", "-sS", "--max-time", "60", "--noproxy", "", "-x", through, ...more, url];
}

async function output([command = "", ...args]: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(command, args);
  return code === 0 ? stdout : `${code} ${stderr}`;
}

test("each flag, as the proxy sees it", async (t) => {
  const { realm, proxy } = await proxiedRealm(
    t,
    async ({ dir }) => {
      const authority = await makeAuthority(dir);
      const tls = await makeCertificate(dir, "proxy", "DNS:proxy.test", authority);
      const bound = (type: string) => ({ ...tls, channelBindings: { type, required: true } });
      return {
        listeners: [
          { address: "127.0.0.1:0", methods: ["gssapi", "password", "none"] },
          { address: "127.0.0.1:0", gssapi: { protectionLevels: ["integrity"] } },
          { address: "127.0.0.1:0", gssapi: { nec: true } },
          { address: "127.0.0.1:0", tls: bound("tls-server-end-point") },
          { address: "127.0.0.1:0", tls: bound("tls-exporter") },
          { address: "127.0.0.1:0", methods: ["gssapi"], http: true, gssapi: { protectionLevels: ["none"] } },
        ],
        passwords: { file: await usersFile(dir) },
      };
    },
    { services: ["HTTP/localhost"] },
  );
  const url = await web(t);
  const file = (name: string) => path.join(realm.dir, name);
  writeFileSync(file("password"), `${CAROL.password}\n`);
  const bobs = await realm.kinit("bob", { ccache: "bobs" });
  const [all, integrity, nec, endPoint, exporter, http] = proxy.ports.map((port) => [
    "--proxy",
    `localhost:${port}`,
  ]);
  const { publicKey } = new X509Certificate(readFileSync(file("proxy.pem")));
  const spki = publicKey.export({ type: "spki", format: "der" });
  const pin = `sha256//${createHash("sha256").update(spki).digest("base64")}`;
  const authority = ["--tls-ca", file("ca.pem"), "--tls-name", "proxy.test"];
  const bob = { principal: "bob@EXAMPLE.TEST" };

  const ways: readonly [
    args: readonly (string | string[] | undefined)[],
    expected: Record<string, unknown>,
  ][] = [
    [[all, "--method", "none"], { method: "none", principal: null }],
    [
      [all, "--user", CAROL.name, "--password-file", file("password")],
      { method: "password", principal: "carol" },
    ],
    [[integrity, "--level", "confidentiality,integrity"], { principal: ALICE, level: "integrity" }],
    [[all, "--service", "socks"], { targetName: "socks/localhost@EXAMPLE.TEST" }],
    [[all, "--target-name", "host@localhost"], { targetName: "host/localhost@EXAMPLE.TEST" }],
    [[all, "--ccache", bobs], bob],
    [
      [
        all,
        ["--principal", "bob", "--client-keytab", `FILE:${realm.usersKeytab}`],
        ["--ccache", `FILE:${file("new")}`],
      ],
      bob,
    ],
    [[nec, "--nec"], { principal: ALICE, level: "confidentiality" }],
    [[endPoint, "--tls", authority], { principal: ALICE, channelBindings: "tls-server-end-point" }],
    [
      [exporter, authority, "--tls-pin", pin, "--tls-bindings", "tls-exporter"],
      { principal: ALICE, channelBindings: "tls-exporter" },
    ],
    [[http, "--protocol", "http"], { principal: ALICE, targetName: "HTTP/localhost@EXAMPLE.TEST" }],
  ];
  for (const [some, expected] of ways) {
    const args = some.flat().map(String);
    await t.test(args.slice(2).join(" "), async (t) => {
      const isNew = proxy.later();
      const { port } = await forwarder(t, realm, args);
      assert.equal(await output(curl(`socks5h://127.0.0.1:${port}`, url)), "hello");
      const record = await proxy.audit(isNew);
      const seen = Object.keys(expected).map((key) => [key, record[key]]);
      assert.deepEqual(Object.fromEntries(seen), expected);
    });
  }

  await t.test("--order round-robin", async (t) => {
    const isNew = proxy.later();
    const two = [all, integrity, "--level", "confidentiality,integrity", "--order", "round-robin"];
    const { port } = await forwarder(t, realm, two.flat().map(String));
    for (let count = 0; count < 4; count++)
      assert.equal(await output(curl(`socks5h://127.0.0.1:${port}`, url)), "hello");
    const level = (which: string) => proxy.audit((record) => isNew(record) && record.level === which);
    await Promise.all([level("confidentiality"), level("integrity")]);
  });
});

test("--users", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const url = await web(t);
  const users = await usersFile(realm.dir);
  const { port } = await forwarder(t, realm, ["--proxy", proxy.address, "--users", users]);
  const at = `127.0.0.1:${port}`;
  const carol = `${CAROL.name}:${CAROL.password}`;
  for (const scheme of ["socks5h", "http"])
    await t.test(scheme, async () => {
      const isNew = proxy.later();
      assert.equal(await output(curl(`${scheme}://${carol}@${at}`, url)), "hello");
      const { principal } = await proxy.audit(isNew);
      assert.equal(principal, ALICE, "the forwarder's own ticket, whoever comes");
      assert.notEqual(await output(curl(`${scheme}://carol:wrong@${at}`, url)), "hello");
      assert.notEqual(await output(curl(`${scheme}://${at}`, url)), "hello");
    });
  await t.test("SOCKS4 has no passwords", async () => {
    assert.match(await output(curl(`socks4a://carol@${at}`, url)), /^97 /);
  });
  const skip = process.getuid?.() === 0 ? false : "only root can be another user";
  await t.test("of another user", { skip }, async () => {
    const other = ["setpriv", "--reuid", "54321", "--clear-groups"];
    assert.equal(await output([...other, ...curl(`socks5h://${carol}@${at}`, url)]), "hello");
    assert.notEqual(await output([...other, ...curl(`socks5h://${at}`, url)]), "hello");
  });
  assert.equal(sessions(proxy), skip ? 2 : 3, "nobody else came through");
});

function sessions(proxy: ProxyServer): number {
  return proxy.audits().length;
}
