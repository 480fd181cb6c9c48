/**
 * The npm package: what is in it, to the last file; installed into an empty project it has its addon along, loads that
 * and no other, serves and connects, and shows its types to who compiles against them.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type PackedFile, Project, pack, plantAddons } from "../support/npm-package.js";
import { run } from "../support/processes.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Each matches at least one file of the package, and each file one of them. */
const CONTENTS = [
  /^package\.json$/,
  /^README\.md$/,
  /^CHANGELOG\.md$/,
  /^LICENSE$/,
  // The program, and the types of it.
  /^dist\/src\/[a-z-]+\.(js|d\.ts)$/,
  /^dist\/src\/[a-z-]+\/[a-z0-9-]+\.(js|d\.ts)$/,
  /^dist\/gssocks\.schema\.json$/,
  /^dist\/man\/man[158]\/gssocks[a-z.-]*\.[158]$/,
  /^dist\/completions\/(_gssocks|gssocks\.bash|gssocks\.fish)$/,
  // What a service needs, and what there is to read.
  /^packaging\/systemd\/(user\/)?gssocks[a-z-]*\.(service|socket|sysusers)$/,
  /^packaging\/logrotate\/gssocks$/,
  /^docs\/[a-z-]+\.md$/,
  /^docs\/audit\.schema\.json$/,
  // The addon, for who has no compiler …
  /^prebuilds\/gssocks-linux-(x64|arm64)\/node-napi-v8\.node$/,
  // … and to be built.
  /^install\.mjs$/,
  /^binding-options\.cjs$/,
  /^CMakeLists\.txt$/,
  /^native\/[a-z0-9_]+\.(cc|h)$/,
];

test("the package", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "packed-"));
  t.after(() => rm(directory, { recursive: true }));
  const { tarball, files } = await pack(directory);

  await t.test("has what a user needs and nothing else", () => contents(files));

  const project = await Project.create(t, tarball);
  const addon = path.join(project.installed, `prebuilds/gssocks-linux-${process.arch}/node-napi-v8.node`);

  await t.test("takes the addon that came along: nothing is built", async () => {
    assert.equal(existsSync(path.join(project.installed, "build")), false);
    assert.deepEqual(await project.addons(), [addon]);
  });

  await t.test(
    "loads no addon but its own, wherever it is run and whatever the environment says",
    async () => {
      await plantAddons(project.directory);
      await plantAddons(path.join(project.directory, "node_modules"));
      const env = {
        npm_config_arch: "ppc64",
        npm_config_platform: "aix",
        npm_config_runtime: "electron",
        ELECTRON_RUN_AS_NODE: "1",
        NODE_PATH: project.directory,
        PREBUILDS_ONLY: "1",
      };
      assert.deepEqual(await project.addons(env), [addon]);
    },
  );

  await t.test("serves and connects", (t) => project.carry(t));

  await t.test("shows its types", async () => {
    const source = path.join(project.directory, "consumer.ts");
    await writeFile(
      source,
      `import { type CreateServerOptions, connect, createServer, GssocksError } from "gssocks";
const options: CreateServerOptions = { rules: [{ allow: { to: ["10.0.0.0/8"] } }] };
const server = createServer(options);
// @ts-expect-error: no proxy is named
connect({});
console.log(options, server, GssocksError.name);
`,
    );
    const compiler = path.join(ROOT, "node_modules/.bin/tsc");
    const types = path.join(ROOT, "node_modules/@types");
    const args = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--typeRoots", types];
    await run(compiler, [...args, "--types", "node", source], { cwd: project.directory });
  });

  await t.test("brings the man pages", async () => {
    const manual = path.join(project.installed, "dist/man");
    for (const page of ["gssocks", "gssocks-connect", "gssocks-serve", "gssocks.yaml"])
      await project.run("man", ["-M", manual, "-w", page]);
  });
});

function contents(files: readonly PackedFile[]): void {
  const others = files.filter(({ path }) => !CONTENTS.some((pattern) => pattern.test(path)));
  assert.deepEqual(
    others.map((each) => each.path),
    [],
  );
  const unmatched = CONTENTS.filter((pattern) => !files.some(({ path }) => pattern.test(path)));
  assert.deepEqual(unmatched, []);
  const names = new Set(files.map((each) => each.path));
  for (const each of names)
    if (/^dist\/src\/.*\.js$/.test(each))
      assert.ok(names.has(each.replace(/js$/, "d.ts")), `types of ${each}`);
  assert.ok(names.has("dist/src/gss/native.js"), "a module that has to be there");
}
