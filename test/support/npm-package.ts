/** The npm package as its users have it: packed, installed into a project that is empty, and run there. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { echo, Origin } from "./origin.js";
import { run } from "./processes.js";
import { ProxyServer } from "./proxy.js";
import { Realm } from "./realm.js";
import { showOnFailure } from "./show-on-failure.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Compilers and emulated processors take their time on a busy machine. */
const PATIENCE = 300_000;

export interface PackedFile {
  readonly path: string;
  readonly mode: number;
}

/** The tarball of what is built now, in `directory`. */
export async function pack(directory: string): Promise<{ tarball: string; files: PackedFile[] }> {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", directory];
  const { stdout } = await run("npm", args, { cwd: ROOT });
  const [{ filename, files }] = JSON.parse(stdout);
  return { tarball: path.join(directory, filename), files };
}

export class Project {
  readonly directory: string;
  /** That Node, its directory first in PATH. */
  readonly node: string;

  private constructor(directory: string, node: string) {
    this.directory = directory;
    this.node = node;
  }

  /** An empty one, with the package installed by npm under that Node. */
  static async create(t: TestContext, tarball: string, node = process.execPath): Promise<Project> {
    const directory = await mkdtemp(path.join(tmpdir(), "project-"));
    t.after(() => rm(directory, { recursive: true }));
    await writeFile(path.join(directory, "package.json"), '{ "private": true, "type": "module" }\n');
    const project = new Project(directory, node);
    await project.run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", tarball]);
    return project;
  }

  /** The same, run by another Node. */
  under(node: string): Project {
    return new Project(this.directory, node);
  }

  get installed(): string {
    return path.join(this.directory, "node_modules/gssocks");
  }

  get env() {
    return { PATH: `${path.dirname(this.node)}:${process.env.PATH}` };
  }

  async run(command: string, args: readonly string[], env = {}): Promise<string> {
    const options = { cwd: this.directory, env: { ...this.env, ...env }, timeoutMs: PATIENCE };
    return (await run(command, args, options)).stdout;
  }

  /** The native addons that are loaded when somebody imports gssocks there. */
  async addons(env = {}): Promise<string[]> {
    const script = `await import("gssocks");
      const { sharedObjects } = process.report.getReport();
      console.log(JSON.stringify(sharedObjects.filter((each) => each.endsWith(".node"))));`;
    return JSON.parse(await this.run(this.node, ["--input-type=module", "-e", script], env));
  }

  /** `gssocks serve` and `gssocks connect`, as they are installed, carry octets to an origin, with a real KDC's ticket. */
  async carry(t: TestContext): Promise<void> {
    const { node } = this;
    const realm = await Realm.start();
    showOnFailure(t, () => realm.logs());
    t.after(() => realm.stop());
    await realm.kinit("alice");
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    const cli = path.join(this.directory, "node_modules/.bin/gssocks");
    const proxy = await ProxyServer.start(realm, {}, { cli, node, patienceMs: PATIENCE });
    showOnFailure(t, () => proxy.logs());
    t.after(() => proxy.stop());
    const input = randomBytes(500_000).toString("hex");
    const to = ["connect", "127.0.0.1", String(origin.port), "--proxy", proxy.address];
    const { stdout } = await run(cli, to, {
      env: { ...realm.env, ...this.env },
      input,
      timeoutMs: PATIENCE,
    });
    assert.ok(stdout === input, "what came back is what was sent");
    const { principal, level } = await proxy.audit();
    assert.deepEqual([principal, level], ["alice@EXAMPLE.TEST", "confidentiality"]);
    assert.equal((await proxy.stop()).code, 0);
  }
}

/** Files that are no addons, where those of a package would be if the working directory were one. */
export async function plantAddons(directory: string): Promise<void> {
  for (const each of [
    "build/Debug/gssocks.node",
    "build/Release/gssocks.node",
    `prebuilds/gssocks-linux-${process.arch}/node-napi-v8.node`,
  ]) {
    const file = path.join(directory, each);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, "no addon");
  }
}
