/**
 * What is tested: the user's ticket in each type of ccache that Debian has (FILE, DIR, the kernel's KEYRING, SSSD's KCM). By the
 * environment, `gssocks connect` and a running `gssocks forward` take the primary one of a collection, also when kswitch makes
 * another one that, and say so when all are gone; `--ccache` and `--principal` take another; what is asked of a ticket names its
 * ccache with the type.
 */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { Ticket } from "../../src/client/ticket.js";
import { Forwarder } from "../support/forwarder.js";
import { gssocks } from "../support/gssocks.js";
import { startKcm } from "../support/kcm.js";
import { echo, Origin } from "../support/origin.js";
import { type Finished, run, runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

interface CcacheType {
  /** For KRB5CCNAME. */
  readonly name: string;
  /** It holds tickets of several users. */
  readonly collection: boolean;
}

/** A test of one type. @param why there is none here, by what its kinit says, which is only there where that can be */
const TYPES: readonly [type: string, open: (t: TestContext, realm: Realm) => Promise<CcacheType | string>][] =
  [
    ["FILE", async (_, { dir }) => ({ name: `FILE:${path.join(dir, "in-a-file")}`, collection: false })],
    [
      "DIR",
      async (_, { dir }) => {
        await mkdir(path.join(dir, "collection"), { mode: 0o700 });
        return { name: `DIR:${path.join(dir, "collection")}`, collection: true };
      },
    ],
    [
      "KEYRING",
      async (t, { env, usersKeytab }) => {
        const name = `KEYRING:user:gssocks-types-${process.pid}`;
        const { code, stderr } = await runToEnd("kinit", ["-c", name, "-k", "-t", usersKeytab, "alice"], {
          env,
        });
        t.after(() => runToEnd("kdestroy", ["-A"], { env: { ...env, KRB5CCNAME: name } }));
        return code === 0 ? { name, collection: true } : stderr.trim();
      },
    ],
    ["KCM", async (t, realm) => (await startKcm(t, realm)) ?? { name: "KCM:", collection: true }],
  ];

for (const [type, open] of TYPES)
  test(type, async (t) => {
    const { realm, proxy } = await proxiedRealm(t);
    const opened = await open(t, realm);
    if (typeof opened === "string") return t.skip(`there can be none here: ${opened}`);
    const { name, collection } = opened;
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    realm.enter(name);
    const env = { ...realm.env, KRB5CCNAME: name };
    const kinit = (user: string) => run("kinit", ["-k", "-t", realm.usersKeytab, user], { env });
    const forwarder = await Forwarder.start(["--proxy", proxy.address], env);
    showOnFailure(t, () => forwarder.logs());
    t.after(() => forwarder.stop());

    const byConnect = (args: readonly string[], ccache: string | undefined = name) =>
      gssocks(["connect", "127.0.0.1", String(origin.port), "--proxy", proxy.address, ...args], {
        env: { ...env, KRB5CCNAME: ccache },
        input: "octets",
      });
    const byForward = () =>
      runToEnd(
        "nc",
        ["-N", "-X", "5", "-x", `127.0.0.1:${forwarder.port}`, "127.0.0.1", String(origin.port)],
        {
          input: "octets",
        },
      );

    async function assertServed(user: string, finish: () => Promise<Finished>): Promise<void> {
      const isNew = proxy.later();
      const { stdout, stderr, code } = await finish();
      assert.deepEqual([stdout, code], ["octets", 0], stderr);
      assert.equal((await proxy.audit(isNew)).principal, `${user}@EXAMPLE.TEST`);
    }
    /** Both ways, and the ticket that they take. */
    async function assertUsed(user: string): Promise<string> {
      await assertServed(user, () => byConnect([]));
      await assertServed(user, byForward);
      const { principal, ccache, secondsLeft } = await new Ticket().status();
      assert.equal(principal, `${user}@EXAMPLE.TEST`);
      assert.ok((secondsLeft ?? 0) > 0);
      assert.match(String(ccache), new RegExp(`^${type}:`));
      return String(ccache);
    }

    await kinit("alice");
    const alices = await assertUsed("alice");
    await assertServed("alice", () =>
      byConnect(["--ccache", alices], `FILE:${path.join(realm.dir, "none")}`),
    );
    if (collection) {
      await kinit("bob");
      await run("kswitch", ["-p", "bob"], { env });
      assert.notEqual(await assertUsed("bob"), alices);
      await assertServed("alice", () => byConnect(["--principal", "alice"]));
      await assertServed("alice", () => byConnect(["--ccache", alices]));
      assert.equal((await new Ticket({ principal: "alice" }).status()).ccache, alices);
      await run("kswitch", ["-p", "alice"], { env });
      assert.equal(await assertUsed("alice"), alices);
    }
    await run("kdestroy", ["-A"], { env });
    const isNew = forwarder.later();
    const { code, stderr } = await byConnect([]);
    assert.deepEqual([code, /kinit/.test(stderr)], [1, true], stderr);
    assert.notEqual((await byForward()).code, 0);
    const failed = await forwarder.waitForLog((line) => isNew(line) && line.msg === "session failed");
    assert.equal(failed.code, "NO_TICKET");
    assert.equal((await new Ticket().status()).error?.code, "NO_TICKET");
  });
