/**
 * systemd-journald, the real one, in a mount namespace of its own: its sockets and its files are seen through proc(5), and
 * the machine's journal and kernel log stay as they are.
 */
import { existsSync } from "node:fs";
import { type Running, run, type StartOptions, start } from "./processes.js";

const JOURNALD = "/usr/lib/systemd/systemd-journald";

const SETUP = `
mount -t tmpfs tmpfs /run
mkdir -p /run/log/journal
mount --bind /dev/null /dev/kmsg 2>/dev/null || true
exec ${JOURNALD}
`;

export class Journald {
  readonly #process: Running;

  private constructor(process: Running) {
    this.#process = process;
  }

  /** Why it can't run here; null where it can. */
  static async missing(): Promise<string | null> {
    if (!existsSync(JOURNALD)) return "systemd-journald is not installed";
    return process.getuid?.() === 0 ? null : "systemd-journald needs root";
  }

  /** Listening, when this is fulfilled. */
  static async start(test: NonNullable<StartOptions["test"]>): Promise<Journald> {
    const child = await start("unshare", ["--mount", "sh", "-euc", SETUP], { test });
    const journald = new Journald(child);
    let gone = false;
    void child.exited.then(() => {
      gone = true;
    });
    while (!existsSync(journald.socket)) {
      if (gone) throw new Error(`journald ended: ${child.stdout()}${child.stderr()}`);
      await new Promise((turn) => setTimeout(turn, 20));
    }
    return journald;
  }

  get socket(): string {
    return `/proc/${this.#process.pid}/root/run/systemd/journal/socket`;
  }

  /** Entries that match, as journalctl has them; all that was sent before is there. */
  async entries(...matches: string[]): Promise<Record<string, unknown>[]> {
    await this.#inside(["--sync"]);
    const output = await this.#inside(["-o", "json", "--no-pager", ...matches]);
    return output
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async #inside(args: readonly string[]): Promise<string> {
    const enter = ["--mount", "--target", String(this.#process.pid), "journalctl"];
    return (await run("nsenter", [...enter, ...args])).stdout;
  }
}
