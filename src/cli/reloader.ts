/** Has a running server take the configuration file as it is now: one time after the other, whoever asks. */
import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/schema.js";
import { GssocksError, PolicyError } from "../errors.js";
import { isKerberos } from "../gss/oids.js";
import type { Observer, ServerEvent } from "../observability/events.js";
import type { ReloadOutcome } from "../server/reload-outcome.js";

export interface Loaded {
  config: Config;
  source: string;
}

/** Of the server's configuration, as it is now. @throws ConfigError */
export type Load = () => Loaded;

export class Reloader {
  readonly #read: Load;
  readonly #observer: Observer;
  readonly #apply: (loaded: Loaded) => Promise<ReloadOutcome>;
  /** What the server serves by. */
  config: Config;
  #underWay: Promise<unknown>;
  /** Begins when the one under way is over; who asks meanwhile shares it, for the file is read only then. */
  #next: Promise<ReloadOutcome> | null = null;
  #begin = () => {};
  #ending = false;

  /** @param apply throws, and nothing has changed */
  constructor(
    read: Load,
    config: Config,
    observer: Observer,
    apply: (loaded: Loaded) => Promise<ReloadOutcome>,
  ) {
    this.#read = read;
    this.config = config;
    this.#observer = observer;
    this.#apply = apply;
    this.#underWay = new Promise<void>((resolve) => {
      this.#begin = resolve;
    });
  }

  /** The server serves. Nothing is reloaded before. */
  begin(): void {
    this.#begin();
  }

  /** @throws GssocksError, which the log is told while the server serves; nothing has changed then */
  reload(): Promise<ReloadOutcome> {
    this.#next ??= this.#after(this.#underWay);
    return this.#next;
  }

  /** The server stops. */
  end(): void {
    this.#ending = true;
  }

  async #after(before: Promise<unknown>): Promise<ReloadOutcome> {
    await before.catch(() => {});
    this.#underWay = this.#next as Promise<ReloadOutcome>;
    this.#next = null;
    try {
      const outcome = await this.#load();
      this.#tell({ type: "reloaded", ...outcome });
      return outcome;
    } catch (error) {
      const code = error instanceof GssocksError ? error.code : "INTERNAL";
      this.#tell({ type: "reload-failed", code, reason: (error as Error).message });
      throw error;
    }
  }

  /** The log ends with the server's end. */
  #tell(event: ServerEvent): void {
    if (!this.#ending) this.#observer(event);
  }

  async #load(): Promise<ReloadOutcome> {
    if (this.#ending) throw new PolicyError("STOPPING", "the server stops; it takes no other configuration");
    const { config, source } = this.#read();
    const fixed = needRestart(this.config, config);
    if (fixed.length > 0) {
      const message = `a restart is needed for ${fixed.join(", ")}; nothing was changed`;
      throw new PolicyError("RESTART_NEEDED", message);
    }
    const outcome = await this.#apply({ config, source });
    this.config = config;
    return outcome;
  }
}

/** Keys that have changed and are looked at only when the server starts. */
function needRestart(before: Config, after: Config): string[] {
  const keys = ["workers", "audit", "metrics", "control"] as const;
  const changed: string[] = keys.filter((key) => !isDeepStrictEqual(before[key], after[key]));
  if (!isDeepStrictEqual(forIdentd(before), forIdentd(after))) changed.push("identd");
  // Other mechanisms find the keytab by the process' environment.
  const others = [before, after].some(({ gssapi }) => !gssapi.mechanisms.every(isKerberos));
  if (others && before.gssapi.keytab !== after.gssapi.keytab) changed.push("gssapi.keytab");
  return changed;
}

/** What of it is the proxy's own. */
function forIdentd({ identd }: Config): unknown {
  return identd === null ? null : [identd.socket, identd.answer];
}
