/** The server as a part of a program: its configuration as an object, and the program's own word on who may. */
import { EventEmitter } from "node:events";
import { serverOptions } from "../cli/server-options.js";
import { parseConfig } from "../config/load.js";
import type { ConfigInput } from "../config/schema.js";
import { UsageError } from "../errors.js";
import type { Observer, ServerEvent } from "../observability/events.js";
import type { Authorizer } from "../server/authorizer.js";
import type { ReloadOutcome } from "../server/reload-outcome.js";
import { Server, type ServerOptions } from "../server/server.js";
import type { SessionInfo } from "../server/session-info.js";
import { OwnPasswords, type VerifyPassword } from "./own-passwords.js";

/** What belongs to `gssocks serve`: a program has its own log, and is told all that would be written. */
const SERVED = ["workers", "log", "audit", "metrics", "control", "identd"] as const;

/**
 * As in the configuration file (docs/configuration.md), with the same words, defaults and checks; what is left out there may
 * be left out here, and `listeners` too: 127.0.0.1:1080 then.
 */
export interface CreateServerOptions extends Omit<ConfigInput, (typeof SERVED)[number] | "listeners"> {
  listeners?: ConfigInput["listeners"];
  /**
   * Asked about each destination that the rules allow, of an association about each that it sends to. Where there are no
   * `rules`, they allow everything but the protected destinations, as the host itself, and this decides.
   */
  authorize?: Authorizer;
  /** For listeners that take passwords, instead of `passwords`. */
  verifyPassword?: VerifyPassword;
}

/** Each event by its type: `session-closed` has the session's audit record, `decision` that of what was asked for. */
export type EmbeddedServerEvents = {
  [Type in ServerEvent["type"]]: [event: Extract<ServerEvent, { type: Type }>];
};

/**
 * A proxy inside this program; nothing listens before {@link EmbeddedServer.listen}.
 * @throws ConfigError that lists all that is wrong with the options, UsageError
 */
export function createServer(options: CreateServerOptions = {}): EmbeddedServer {
  return new EmbeddedServer(options);
}

export class EmbeddedServer extends EventEmitter<EmbeddedServerEvents> {
  readonly #server: Server;
  readonly #observer: Observer;
  #drain: number;

  /** @internal by {@link createServer} */
  constructor(options: CreateServerOptions) {
    super();
    this.#observer = (event) => void this.emit(event.type, event as never);
    const { server, drain } = parsed(options, this.#observer);
    this.#server = new Server(server, this.#observer);
    this.#drain = drain;
  }

  /**
   * Opens the listeners, and what authentication needs.
   * @returns the bound addresses, `address:port`, in the order of the options
   * @throws GssError (the keytab), NetworkError (CANNOT_LISTEN, TLS_FILES …); nothing stays open then
   */
  async listen(): Promise<string[]> {
    await this.#server.start();
    return this.addresses;
  }

  /** The bound addresses, `address:port`. */
  get addresses(): string[] {
    return this.#server.addresses;
  }

  /** Those that are open. */
  sessions(): SessionInfo[] {
    return this.#server.list();
  }

  /** Ends those of them that are open, by their ids, and tells which those were. */
  kill(sessions: readonly string[]): Promise<string[]> {
    return this.#server.kill(sessions);
  }

  /**
   * Has other options hold from now on; open sessions that the new rules deny are ended.
   * @throws as {@link createServer} and {@link listen}; nothing has changed then
   */
  async reload(options: CreateServerOptions): Promise<ReloadOutcome> {
    const { server, drain } = parsed(options, this.#observer);
    const outcome = await this.#server.reload(server);
    this.#drain = drain;
    return outcome;
  }

  /**
   * Takes no further clients, and ends when the open sessions have.
   * @param drain milliseconds that they have; `timeouts.drain` where it is left out
   */
  async close(drain = this.#drain): Promise<void> {
    await this.#server.stop(drain);
  }
}

function parsed(options: CreateServerOptions, observer: Observer): { server: ServerOptions; drain: number } {
  const { authorize, verifyPassword, ...written } = options;
  if (verifyPassword !== undefined && written.passwords !== undefined)
    throw new UsageError("BAD_ARGUMENT", "passwords and verifyPassword: only one can know them");
  for (const key of SERVED)
    if (key in written) throw new UsageError("BAD_ARGUMENT", `${key} is for gssocks serve alone`);
  const whole = {
    listeners: [{ address: "127.0.0.1:1080" }],
    ...(authorize === undefined ? {} : { rules: [{ allow: {} }] }),
    // Somebody knows them, which is all that is looked at.
    ...(verifyPassword === undefined ? {} : { passwords: { file: "/verifyPassword" } }),
    ...written,
  };
  const config = parseConfig(JSON.stringify(whole), "createServer");
  const server = serverOptions(config, observer);
  if (authorize !== undefined) server.authorizer = authorize;
  if (verifyPassword !== undefined) server.passwords = async () => new OwnPasswords(verifyPassword);
  return { server, drain: config.timeouts.drain };
}
