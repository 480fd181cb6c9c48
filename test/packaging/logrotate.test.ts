/**
 * The file for logrotate, with the real one: the audit trail goes on in a new file without a record lost, twice or split,
 * what was rotated before is compressed, and a log that somebody else holds open is copied and cut. Who rotates and how the
 * service is found is tested where there is a systemd (test/packages/debian.ts).
 */
import assert from "node:assert/strict";
import { appendFile, chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { scratch } from "../support/identd.js";
import { echo, Origin } from "../support/origin.js";
import { run } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI } from "../support/proxy.js";

const FILE = new URL("../../../packaging/logrotate/gssocks", import.meta.url);

/** The file as it is, but for the directory, whose it is, and the process that is told. */
async function rotation(dir: string, logs: string, pid: number): Promise<() => Promise<void>> {
  const { username, gid } = userInfo();
  const [group] = (await run("getent", ["group", String(gid)])).stdout.split(":");
  const text = (await readFile(FILE, "utf8"))
    .replaceAll("/var/log/gssocks", logs)
    .replaceAll(/\bsu \w+ \w+/g, `su ${username} ${group}`)
    .replace(/systemctl kill .*/, `kill -USR1 ${pid}`);
  const config = path.join(dir, "rotation");
  await writeFile(config, text);
  await chmod(config, 0o644);
  const args = ["--force", "--state", path.join(dir, "rotation.state"), config];
  const env = { PATH: `${process.env.PATH}:/usr/sbin` };
  return async () => void (await run("logrotate", args, { env }));
}

test("the audit trail", async (t) => {
  let logs = "";
  const { realm, proxy } = await proxiedRealm(t, async ({ dir }) => {
    logs = path.join(dir, "logs");
    await mkdir(logs);
    return { audit: { file: path.join(logs, "audit.jsonl") } };
  });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const rotate = await rotation(realm.dir, logs, proxy.pid);
  const session = () =>
    run(process.execPath, [CLI, "connect", "127.0.0.1", String(origin.port), "--proxy", proxy.address], {
      env: realm.env,
      input: "there and back",
    });

  await session();
  await rotate();
  await session();
  // A second has passed: the names are told apart by it.
  const [first = ""] = (await readdir(logs)).filter((each) => each !== "audit.jsonl");
  assert.match(first, /^audit\.jsonl-\d{8}-\d{10}$/);
  while (Math.floor(Date.now() / 1000) <= Number(first.slice(-10)))
    await new Promise((resolve) => setTimeout(resolve, 50));
  await rotate();
  await session();
  await proxy.stop();

  const [, second = "", ...more] = (await readdir(logs)).sort().filter((each) => each !== "audit.jsonl");
  assert.deepEqual(more, []);
  const texts = [
    (await run("gzip", ["-dc", path.join(logs, `${first}.gz`)])).stdout,
    await readFile(path.join(logs, second), "utf8"),
    await readFile(path.join(logs, "audit.jsonl"), "utf8"),
  ];
  const numbers = texts.map((text) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).seq as number),
  );
  for (const each of numbers) assert.ok(each.length > 1, JSON.stringify(numbers));
  const all = numbers.flat();
  assert.deepEqual(
    all,
    all.map((_, index) => index + 1),
  );
});

test("a log that is held open", async (t) => {
  const dir = await scratch(t);
  const logs = path.join(dir, "logs");
  await mkdir(logs);
  const log = path.join(logs, "gssocks.log");
  await writeFile(log, "before\n");
  await (await rotation(dir, logs, 0))();
  await appendFile(log, "after\n");
  assert.equal(await readFile(log, "utf8"), "after\n");
  const [rotated = ""] = (await readdir(logs)).filter((each) => each !== "gssocks.log");
  assert.equal((await run("gzip", ["-dc", path.join(logs, rotated)])).stdout, "before\n");
});
