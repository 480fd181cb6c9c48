/**
 * What is tested, by scripts/test-packages.sh: the npm package under each Node it is for, with the addon that came along,
 * for arm64 as for this processor, and where that does not load: it is built, by npm's install script, and serves as well.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Project, pack } from "../support/npm-package.js";
import { run } from "../support/processes.js";

const nodes = (process.env.GSSOCKS_NODES ?? "").split(":").filter((each) => each !== "");
assert.ok(nodes.length > 0, "to be run by scripts/test-packages.sh");
const PREBUILT = `prebuilds/gssocks-linux-${process.arch}/node-napi-v8.node`;

test("the npm package", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "packed-"));
  t.after(() => rm(directory, { recursive: true }));
  const { tarball } = await pack(directory);

  for (const node of nodes) {
    const version = (await run(node, ["--version"])).stdout.trim();
    await t.test(`under Node ${version}`, async (t) => {
      const project = await Project.create(t, tarball, node);
      assert.deepEqual(await project.addons(), [path.join(project.installed, PREBUILT)]);
      await project.carry(t);
    });
  }

  const foreign = process.env.GSSOCKS_FOREIGN_NODE ?? "";
  if (foreign !== "")
    await t.test("on another processor, which is emulated", async (t) => {
      const project = (await Project.create(t, tarball)).under(foreign);
      const arch = (await run(foreign, ["-p", "process.arch"])).stdout.trim();
      assert.notEqual(arch, process.arch);
      const prebuilt = `prebuilds/gssocks-linux-${arch}/node-napi-v8.node`;
      assert.deepEqual(await project.addons(), [path.join(project.installed, prebuilt)]);
      await project.carry(t);
    });

  await t.test("where the addon does not load", async (t) => {
    // As on a system whose libraries are too old for it.
    await run("tar", ["-xzf", tarball, "-C", directory]);
    await run("sh", ["-c", `echo garbage >"$0"`, path.join(directory, "package", PREBUILT)]);
    const broken = path.join(directory, "broken.tgz");
    await run("tar", ["-czf", broken, "-C", directory, "package"]);
    const project = await Project.create(t, broken);
    assert.deepEqual(await project.addons(), [path.join(project.installed, "build/Release/gssocks.node")]);
    await project.carry(t);
  });
});
