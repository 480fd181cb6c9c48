/**
 * The units of systemd, as systemd itself reads them: nothing in them is unknown or wrong, and what the service could do
 * if it were somebody else's is no more than docs/install.md says.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { run, runToEnd } from "../support/processes.js";

const ROOT = new URL("../../../", import.meta.url);
const UNITS = ["gssocks.service", "gssocks.socket"];

const read = (file: string) => readFile(new URL(file, ROOT), "utf8");

test("systemd-analyze verify has nothing to say", async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), "units-"));
  t.after(() => rm(dir, { recursive: true }));
  for (const unit of UNITS) {
    const text = await read(`packaging/systemd/${unit}`);
    // It is not installed here.
    await writeFile(path.join(dir, unit), text.replaceAll("/usr/bin/gssocks", process.execPath));
  }
  for (const unit of UNITS) {
    const { code, stdout, stderr } = await runToEnd("systemd-analyze", [
      "verify",
      "--man=no",
      "--recursive-errors=no",
      path.join(dir, unit),
    ]);
    assert.deepEqual([code, stdout, stderr], [0, "", ""], unit);
  }
});

test("systemd-analyze security finds as little exposed as documented", async () => {
  const { stdout } = await run("systemd-analyze", [
    "security",
    "--no-pager",
    "--offline=true",
    new URL("packaging/systemd/gssocks.service", ROOT).pathname,
  ]);
  const found = Number(/Overall exposure level for gssocks\.service: ([\d.]+)/.exec(stdout)?.[1]);
  const documented = Number(/exposure level of ([\d.]+)/.exec(await read("docs/install.md"))?.[1]);
  assert.ok(found <= documented, `${found} is more than ${documented}:\n${stdout}`);
});

test("the service and the files that go with it speak of the same places", async () => {
  const service = await read("packaging/systemd/gssocks.service");
  const config = "/etc/gssocks/gssocks.yaml";
  assert.match(service, new RegExp(`^ExecStart=/usr/bin/gssocks serve --config ${config}$`, "m"));
  assert.match(service, new RegExp(`^ExecReload=/usr/bin/gssocks reload --config ${config}$`, "m"));
  assert.match(service, /^LogsDirectory=gssocks$/m);
  assert.match(await read("packaging/logrotate/gssocks"), /^\/var\/log\/gssocks\/\*\.jsonl \{$/m);
  assert.match(await read("packaging/systemd/gssocks.socket"), /^FileDescriptorName=proxy$/m);
  const user = /^User=(.*)$/m.exec(service)?.[1];
  assert.match(await read("packaging/systemd/gssocks.sysusers"), new RegExp(`^u ${user} `, "m"));
});
