/** `gssocks serve` as a process of its own, on a port the system picked, with a realm's keytab. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { type Exit, type Running, start } from "./processes.js";
import type { Realm } from "./realm.js";
import { listening, ServerProcess } from "./server-process.js";

export { isSessionRecord, type LogLine } from "./server-process.js";

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
  /** What runs it; default: this Node. */
  node?: string;
  /** Beside the realm's; an undefined value takes a variable away. */
  env?: Readonly<Record<string, string | undefined>>;
  /** How long to wait until it listens. */
  patienceMs?: number;
}

export class ProxyServer extends ServerProcess {
  readonly #dir: string;
  readonly #config: ProxyConfig;

  private constructor(process: Running, dir: string, config: ProxyConfig, ports: readonly number[]) {
    super(process, "serve", ports);
    this.#dir = dir;
    this.#config = config;
  }

  /** Fulfilled when every listener accepts. */
  static async start(
    realm: Pick<Realm, "env" | "keytab">,
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
      child = await start(build.node ?? process.execPath, args, { env: { ...realm.env, ...build.env } });
      return new ProxyServer(
        child,
        dir,
        whole,
        await listening(child, whole.listeners.length, build.patienceMs),
      );
    } catch (error) {
      await child?.stop();
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** The configuration file. */
  get file(): string {
    return fileIn(this.#dir);
  }

  /** Writes it anew, with other keys than it began with; nobody is told. */
  async rewrite(config: ProxyConfig): Promise<void> {
    await writeFile(this.file, stringify({ ...this.#config, ...config }));
  }

  override async stop(): Promise<Exit> {
    const exit = await super.stop();
    await rm(this.#dir, { recursive: true, force: true });
    return exit;
  }
}

function fileIn(dir: string): string {
  return path.join(dir, "config.yaml");
}
