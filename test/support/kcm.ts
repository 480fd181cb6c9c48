/** The daemon behind the ccache type KCM:, SSSD's, with a memory and a socket of a test's own. */
import { appendFile } from "node:fs/promises";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { accepting } from "./accepting.js";
import { run, runToEnd, start } from "./processes.js";
import type { Realm } from "./realm.js";
import { showOnFailure } from "./show-on-failure.js";

const script = fileURLToPath(new URL("../../../scripts/fetch-kcm.sh", import.meta.url));

/** What it writes goes nowhere; the socket can be seen through /proc. */
const SETUP = `
for each in run lib/sss log/sssd; do mount -t tmpfs none "$0/var/$each"; done
mkdir "$0/var/lib/sss/db" "$0/var/lib/sss/secrets"
exec chroot "$0" /usr/libexec/sssd/sssd_kcm --logger=stderr
`;

/**
 * Has the realm's programs find it. It is stopped when the test ends.
 * @returns why there can be none here; null where it runs
 */
export async function startKcm(context: TestContext, realm: Realm): Promise<string | null> {
  const flags = ["--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];
  const probe = await runToEnd("unshare", [...flags, "true"]);
  if (probe.code !== 0) return probe.stderr.trim();
  const { stdout } = await run(script, [], { timeoutMs: 110_000 });
  const kcm = await start("unshare", [...flags, "sh", "-euc", SETUP, stdout.trim()], { test: context });
  showOnFailure(context, async () => `--- sssd_kcm\n${kcm.stderr()}\n`);
  const socket = `/proc/${kcm.pid}/root/var/run/.heim_org.h5l.kcm-socket`;
  await accepting({ path: socket }, kcm);
  await appendFile(realm.env.KRB5_CONFIG as string, `\n[libdefaults]\n  kcm_socket = ${socket}\n`);
  return null;
}
