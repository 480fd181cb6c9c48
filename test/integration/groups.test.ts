/**
 * What is tested: rules by group, end to end: groups of the system (NSS, with an /etc/passwd and /etc/group of the test's
 * own) and of a file, for tickets; a change of the file; and a source of NSS that does not answer, by which nobody gets in
 * and whoever might be denied is.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { echo, Origin } from "../support/origin.js";
import { CLI, ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const run = promisify(execFile);
const MODULE = fileURLToPath(new URL("../../../test/native/nss_down.c", import.meta.url));

const PASSWD = `root:x:0:0::/root:/bin/sh
alice:x:60001:60011::/nowhere:/bin/false
bob:x:60002:60012::/nowhere:/bin/false
`;
const GROUP = `root:x:0:
people:x:60011:
others:x:60012:
staff:x:60010:carol,alice
`;

inNetworkNamespace(import.meta.url, { ip: [] }, () => {
  test("who is in which group", async (t) => {
    const directory = await mkdtemp(path.join(tmpdir(), "groups-"));
    t.after(() => rm(directory, { recursive: true }));
    const file = async (name: string, text: string) => {
      await writeFile(path.join(directory, name), text);
      return path.join(directory, name);
    };
    const etc = async (name: string, text: string) =>
      run("mount", ["--bind", await file(name, text), `/etc/${name}`]);
    await etc("passwd", PASSWD);
    await etc("group", GROUP);
    await run("cc", ["-shared", "-fPIC", "-o", path.join(directory, "libnss_down.so.2"), MODULE]);
    const groups = await file("groups", "# by hand\ninterns:::bob@EXAMPLE.TEST\nfriends::1:dave,alice\n");

    const realm = await Realm.start();
    t.after(() => realm.stop());
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    const caches = new Map<string, string>();
    for (const user of ["alice", "bob"]) caches.set(user, await realm.kinit(user, { ccache: user }));

    const start = async (test: TestContext, config: object) => {
      const env = { LD_LIBRARY_PATH: directory };
      const proxy = await ProxyServer.start(realm, { ...config }, { cli: CLI, env });
      test.after(() => proxy.stop());
      showOnFailure(test, async () => proxy.logs());
      return proxy;
    };
    const ask = async (proxy: ProxyServer, user: string) => {
      realm.enter(caches.get(user) as string);
      const client = await RawClient.ready(proxy);
      const rep = await client.request("127.0.0.1", origin.port);
      client.socket.end();
      const record = await proxy.audit((each) => each.type === "session" && each.client === client.address);
      const { rule, reason, localName } = record;
      assert.equal(localName, user);
      client.close();
      return { rep, rule, reason };
    };
    const to = ["127.0.0.1"];

    await t.test("of the system: by its list of members, and the user's own", async (t) => {
      const rules = [{ allow: { group: ["staff"], to } }, { allow: { group: ["nosuch", "others"], to } }];
      const proxy = await start(t, { groups: { system: true }, rules });
      assert.equal((await ask(proxy, "alice")).rule, 1);
      assert.equal((await ask(proxy, "bob")).rule, 2);
    });

    await t.test("of a file, and both; a change holds", async (t) => {
      const rules = [
        { deny: { group: ["interns"] } },
        { allow: { group: ["friends"], not: { group: ["staff"] }, to } },
        { allow: { group: ["staff", "others"], to } },
      ];
      const proxy = await start(t, { groups: { file: groups, system: true, maxAge: "0s" }, rules });
      assert.equal((await ask(proxy, "alice")).rule, 3);
      assert.equal((await ask(proxy, "bob")).rule, 1);
      await writeFile(groups, "interns:::\n");
      assert.equal((await ask(proxy, "bob")).rule, 3);
      await writeFile(groups, "interns\n");
      const { rep, rule, reason } = await ask(proxy, "bob");
      assert.deepEqual([rep, rule], [2, 1]);
      assert.match(
        String(reason),
        /rule 1 denies the client's groups are not known: .*expected name:password/,
      );
    });

    await t.test("while a source does not answer", async (t) => {
      await writeFile("/etc/nsswitch.conf", "hosts: files\npasswd: files down\ngroup: files down\n");
      const config = (rules: object[]) => ({ groups: { system: true }, rules });
      await t.test("what is known counts", async (t) => {
        const proxy = await start(t, config([{ allow: { group: ["staff"], to } }]));
        assert.equal((await ask(proxy, "alice")).rule, 1);
      });
      await t.test("nobody gets in by what is not", async (t) => {
        const rules = [{ allow: { group: ["remote"], to } }, { allow: { not: { group: ["remote"] }, to } }];
        const proxy = await start(t, config(rules));
        const { rep, rule } = await ask(proxy, "alice");
        assert.deepEqual([rep, rule], [2, null]);
      });
      await t.test("and whoever might be denied is", async (t) => {
        const proxy = await start(t, config([{ deny: { group: ["remote"] } }, { allow: { to } }]));
        const { rep, rule, reason } = await ask(proxy, "alice");
        assert.deepEqual([rep, rule], [2, 1]);
        assert.match(String(reason), /the system does not tell its groups: getgrnam_r: Connection refused$/);
      });
    });
  });
});
