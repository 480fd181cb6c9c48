/**
 * What is tested, by scripts/test-heimdal.sh: the addon over Heimdal's library against itself and against the one over
 * MIT's, as server and as client, with MIT's KDC: a megabyte there and back, at both levels, with either enctype.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ENCTYPES } from "../support/enctypes.js";
import { echo, Origin } from "../support/origin.js";
import { run } from "../support/processes.js";
import { type Build, CLI, ProxyServer } from "../support/proxy.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const { HEIMDAL_CLI: cli, HEIMDAL_LIBRARIES: libraries } = process.env as Record<string, string>;
assert.ok(cli && libraries, "to be run by scripts/test-heimdal.sh");
const BUILDS: Readonly<Record<string, Build>> = {
  MIT: { cli: CLI },
  Heimdal: { cli, env: { LD_LIBRARY_PATH: libraries } },
};

for (const enctype of ENCTYPES) {
  test(enctype, async (t) => {
    const realm = await Realm.start({ enctypes: [enctype] });
    showOnFailure(t, () => realm.logs());
    t.after(() => realm.stop());
    await realm.kinit("alice");
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    const sent = path.join(realm.dir, "sent");
    await writeFile(sent, randomBytes(500_000).toString("hex"));

    for (const [server, client] of [
      ["Heimdal", "MIT"],
      ["MIT", "Heimdal"],
      ["Heimdal", "Heimdal"],
    ] as const) {
      await t.test(`${client}'s client at ${server}'s server`, async (t) => {
        const proxy = await ProxyServer.start(realm, { gssapi: { mechanisms: ["krb5"] } }, BUILDS[server]);
        showOnFailure(t, () => proxy.logs());
        t.after(() => proxy.stop());
        const { cli, env } = BUILDS[client] as Build;
        for (const level of ["confidentiality", "integrity"]) {
          const to = ["127.0.0.1", String(origin.port), "--proxy", proxy.address, "--level", level];
          const command = `exec "$0" "$1" connect "\${@:3}" <"$2" | cmp - "$2"`;
          const args = ["-o", "pipefail", "-c", command, process.execPath, cli, sent, ...to];
          await run("bash", args, { env: { ...realm.env, ...env } });
        }
        const record = await proxy.audit(({ level }) => level === "integrity");
        assert.deepEqual(
          [record.principal, record.outcome, record.bytesUp, record.bytesDown],
          ["alice@EXAMPLE.TEST", "completed", 1_000_000, 1_000_000],
        );
      });
    }
  });
}
