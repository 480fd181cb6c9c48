/** A real terminal (tmux, in a server of its own), what is on it, its keys and its size. */
import { existsSync } from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { scratch } from "./identd.js";
import { run, start } from "./processes.js";

const PATIENCE = 30_000;

export class TerminalWindow {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** Runs a line of shell in it; what it shows stays when that has ended. Closed when the test ends. */
  static async open(
    test: TestContext,
    line: string,
    env: Readonly<Record<string, string | undefined>>,
    { columns, rows }: { columns: number; rows: number },
  ): Promise<TerminalWindow> {
    const socket = path.join(await scratch(test), "tmux");
    // What tmux itself would make of the one that the tests run in.
    const own = { TMUX: undefined, LC_ALL: "C.UTF-8", ...env };
    await start("tmux", ["-D", "-f", "/dev/null", "-S", socket], { env: own, test });
    while (!existsSync(socket)) await delay(10);
    const window = new TerminalWindow(socket);
    await window.#tmux("set-option", "-g", "status", "off");
    const size = ["-x", `${columns}`, "-y", `${rows}`];
    await window.#tmux("new-session", "-d", ...size, "--", "sh", "-c", `trap : INT; ${line}; read -r end`);
    return window;
  }

  /** Its lines, without those that are empty at the end. */
  async lines(): Promise<string[]> {
    return (await this.#tmux("capture-pane", "-p")).trimEnd().split("\n");
  }

  /** The lines once `which` holds of them. */
  async until(which: (lines: string[]) => boolean): Promise<string[]> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const lines = await this.lines();
      if (which(lines)) return lines;
      if (performance.now() > deadline) throw new Error(`not within ${PATIENCE} ms:\n${lines.join("\n")}`);
      await delay(50);
    }
  }

  /** As tmux names them: `C-c`. */
  async type(key: string): Promise<void> {
    await this.#tmux("send-keys", key);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux("resize-window", "-x", `${columns}`, "-y", `${rows}`);
  }

  /** A variable of tmux's formats, as `cursor_flag`. */
  async variable(name: string): Promise<string> {
    return (await this.#tmux("display-message", "-p", `#{${name}}`)).trimEnd();
  }

  async #tmux(...args: string[]): Promise<string> {
    return (await run("tmux", ["-S", this.#socket, ...args], { env: { LC_ALL: "C.UTF-8" } })).stdout;
  }
}
