/** A Debian system of a test's own: a root directory nobody else writes to, commands in it, and its systemd. */

import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Finished, type Running, run, runToEnd, start } from "../support/processes.js";
import { showOnFailure } from "../support/show-on-failure.js";
import { UnixReceiver } from "../support/unix-receiver.js";

const BOOT = fileURLToPath(new URL("../../../test/packages/boot.sh", import.meta.url));

/** What changes by itself, or holds what was fetched. */
const NOT_COMPARED = [
  "proc",
  "sys",
  "dev",
  "run",
  "tmp",
  "var/cache",
  "var/lib/dpkg",
  "var/lib/apt",
  "var/tmp",
];

export class System {
  readonly root: string;
  /** Its systemd's pid, once it has one. */
  #init: number | null = null;

  private constructor(root: string) {
    this.root = root;
  }

  /** What is in `base`, which stays as it is. */
  static async over(t: TestContext, base: string): Promise<System> {
    const dir = await mkdtemp(path.join(tmpdir(), "system-"));
    await run("mount", ["-t", "tmpfs", "tmpfs", dir]);
    t.after(async () => {
      await run("umount", ["--recursive", dir]);
      await rm(dir, { recursive: true });
    });
    const [upper, work, root] = ["upper", "work", "root"].map((each) => path.join(dir, each));
    await run("mkdir", [upper, work, root] as string[]);
    const layers = `lowerdir=${base},upperdir=${upper},workdir=${work}`;
    await run("mount", ["-t", "overlay", "overlay", "-o", layers, root as string]);
    return new System(root as string);
  }

  /** Runs its systemd; fulfilled when that has booted. */
  async boot(t: TestContext): Promise<void> {
    const name = `gssocks-test-${process.pid}`;
    const receiver = await UnixReceiver.bind(t, `@${name}`);
    receiver.read();
    const flags = ["--mount", "--pid", "--fork", "--kill-child", BOOT, this.root, name];
    const unshare = await start("unshare", flags, { env: { NOTIFY_SOCKET: `@${name}` } });
    showOnFailure(t, async () => {
      const { stdout, stderr } = await this.try("journalctl", ["--no-pager", "--lines=200"]);
      return `${unshare.stdout()}${unshare.stderr()}${stdout}${stderr}`;
    });
    t.after(async () => {
      await unshare.stop("SIGKILL");
      await removeCgroup(name);
    });
    await booted(unshare, receiver);
    const children = readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, "utf8");
    this.#init = Number(children.trim());
  }

  /** Runs a program there to its end; rejects, with its output, unless it exits 0. */
  async run(command: string, args: readonly string[] = []): Promise<string> {
    return (await run(...this.#inside(command, args))).stdout;
  }

  async try(command: string, args: readonly string[] = []): Promise<Finished> {
    return runToEnd(...this.#inside(command, args));
  }

  #inside(command: string, args: readonly string[]) {
    const enter =
      this.#init === null
        ? ["chroot", this.root]
        : [
            "nsenter",
            `--target=${this.#init}`,
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--cgroup",
            "--root",
            "--wd",
          ];
    const [first = "", ...rest] = [
      ...enter,
      "env",
      "-i",
      "PATH=/usr/sbin:/usr/bin",
      "LC_ALL=C.UTF-8",
      command,
      ...args,
    ];
    return [first, rest, { timeoutMs: 60_000 }] as const;
  }

  path(inside: string): string {
    return path.join(this.root, inside);
  }

  /** Every file, with what it is: to see what was left behind. */
  async files(): Promise<Set<string>> {
    const prune = NOT_COMPARED.flatMap((each) => ["-path", `./${each}`, "-prune", "-o"]);
    const { stdout } = await run("find", [
      this.root,
      "-xdev",
      "-mindepth",
      "1",
      ...relative(this.root, prune),
      "-printf",
      "%P\n",
    ]);
    return new Set(stdout.trimEnd().split("\n"));
  }
}

function relative(root: string, words: readonly string[]): string[] {
  return words.map((each) => each.replace(/^\.\//, `${root}/`));
}

async function booted(unshare: Running, receiver: UnixReceiver): Promise<void> {
  const ended = unshare.exited.then(() => {
    throw new Error(`systemd has ended: ${unshare.stdout()}${unshare.stderr()}`);
  });
  for (let count = 1; ; count += 1) {
    const datagrams = await Promise.race([receiver.datagrams(count), ended]);
    if (datagrams.some((each) => each.toString().split("\n").includes("READY=1")))
      return void ended.catch(() => {});
  }
}

/** Its processes are killed, and gone in a moment. */
async function removeCgroup(name: string): Promise<void> {
  const dir = await mkdtemp(path.join(tmpdir(), "cgroup-"));
  await run("mount", ["-t", "cgroup2", "cgroup2", dir]);
  const remove = async (at: string): Promise<void> => {
    for (const each of await readdir(at, { withFileTypes: true }))
      if (each.isDirectory()) await remove(path.join(at, each.name));
    await rmdir(at);
  };
  try {
    while (!/^populated 0$/m.test(readFileSync(path.join(dir, name, "cgroup.events"), "utf8")))
      await delay(20);
    await remove(path.join(dir, name));
  } finally {
    await run("umount", [dir]);
    await rmdir(dir);
  }
}
