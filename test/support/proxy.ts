/** `gssocks serve` as a process of its own, on a port the system picked, with a realm's keytab. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { type Exit, type Running, start } from "./processes.js";
import type { Realm } from "./realm.js";

/** The command line's entry point. */
export const CLI = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/**
 * `off` in the environment: servers protect what they relay by the library's calls, but where a test says otherwise. So
 * every test can be run on the other path, which is all there is for some mechanisms and enctypes.
 */
const FAST_PATH = process.env.GSSOCKS_TEST_FAST_PATH !== "off";

/** What the configuration file holds; what is left out is: one loopback listener, the realm's keytab, loopback allowed. */
export interface ProxyConfig {
  listeners?: readonly Record<string, unknown>[];
  gssapi?: Record<string, unknown>;
  rules?: readonly Record<string, unknown>[];
  [key: string]: unknown;
}

/** Another build of gssocks than the one that is tested. */
export interface Build {
  cli: string;
  /** Beside the realm's; an undefined value takes a variable away. */
  env?: Readonly<Record<string, string | undefined>>;
}

export type LogLine = Record<string, unknown> & { msg: string };

export class ProxyServer {
  readonly #process: Running;
  readonly #dir: string;
  readonly #config: ProxyConfig;
  /** Ports of the listeners that it began with, in the configuration's order. */
  readonly ports: readonly number[];

  private constructor(process: Running, dir: string, config: ProxyConfig, ports: readonly number[]) {
    this.#process = process;
    this.#dir = dir;
    this.#config = config;
    this.ports = ports;
  }

  /** Fulfilled when every listener accepts. */
  static async start(
    realm: Realm,
    config: ProxyConfig = {},
    build: Build = { cli: CLI },
  ): Promise<ProxyServer> {
    const { gssapi, ...rest } = config;
    const whole = {
      listeners: [{ address: "127.0.0.1:0" }],
      gssapi: { keytab: `FILE:${realm.keytab}`, fastPath: FAST_PATH, ...gssapi },
      rules: [{ allow: { to: ["127.0.0.0/8", "::1", "localhost"] } }],
      log: { level: "debug" },
      ...rest,
    };
    const dir = await mkdtemp(path.join(tmpdir(), "proxy-"));
    let child: Running | undefined;
    try {
      const file = fileIn(dir);
      await writeFile(file, stringify(whole));
      const args = ["--enable-source-maps", build.cli, "serve", "--config", file];
      child = await start(process.execPath, args, { env: { ...realm.env, ...build.env } });
      return new ProxyServer(child, dir, whole, await listening(child, whole.listeners.length));
    } catch (error) {
      await child?.stop();
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** The first listener's port. */
  get port(): number {
    return this.ports[0] as number;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The configuration file. */
  get file(): string {
    return fileIn(this.#dir);
  }

  /** Writes it anew, with other keys than it began with; nobody is told. */
  async rewrite(config: ProxyConfig): Promise<void> {
    await writeFile(this.file, stringify({ ...this.#config, ...config }));
  }

  /** As `localhost:1080`, for command lines. */
  get address(): string {
    return `localhost:${this.port}`;
  }

  /** Every log line so far, parsed. */
  log(): LogLine[] {
    return parsed(this.#process.stdout());
  }

  /** The same lines, which are forgotten then: for servers that run long. */
  takeLog(): LogLine[] {
    return parsed(this.#process.takeLines());
  }

  /** The first audit record of a session's end for which `which` holds, when it has been written. */
  async audit(which: (record: LogLine) => boolean = () => true): Promise<LogLine> {
    return this.waitForLog((line) => isSessionRecord(line) && which(line));
  }

  /** The last log line that is no audit record. */
  get last(): LogLine | undefined {
    return this.log().findLast(({ msg }) => msg !== "audit");
  }

  /** The audit records of the sessions that have ended. */
  audits(): LogLine[] {
    return this.log().filter(isSessionRecord);
  }

  /** The first log line for which `which` holds, when it has been written. */
  async waitForLog(which: (line: LogLine) => boolean): Promise<LogLine> {
    return this.#process.waitForLine({
      exec: (text) => {
        const line = text.startsWith("{") ? (JSON.parse(text) as LogLine) : null;
        return line !== null && which(line) ? line : null;
      },
    });
  }

  /** Tells the lines of sessions that begin after this. */
  later(): (line: LogLine) => boolean {
    const before = new Set(this.log().map(({ session }) => session));
    return ({ session }) => !before.has(session);
  }

  /** Whether somebody reads the log. */
  get output(): Running["output"] {
    return this.#process.output;
  }

  /** All output, to be shown when a test has failed. */
  logs(): string {
    return `--- gssocks serve\n${this.#process.stdout()}${this.#process.stderr()}`;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  get exited(): Promise<Exit> {
    return this.#process.exited;
  }

  async stop(): Promise<Exit> {
    const exit = await this.#process.stop();
    await rm(this.#dir, { recursive: true, force: true });
    return exit;
  }
}

export function isSessionRecord({ msg, type }: LogLine): boolean {
  return msg === "audit" && type === "session";
}

function parsed(output: string): LogLine[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as LogLine);
}

function fileIn(dir: string): string {
  return path.join(dir, "config.yaml");
}

async function listening(child: Running, count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    // Ports differ, so each listener's line is the first one that names none of those seen.
    const another = ports.map((port) => `(?!${port}\\b)`).join("");
    const [, port] = await child.waitForLine(new RegExp(`"port":${another}(\\d+),"msg":"listening"`));
    ports.push(Number(port));
  }
  return ports;
}
