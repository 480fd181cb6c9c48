/** A driver of the server machine without sockets or GSS-API: it carries out effects on made-up tokens and keeps a log. */
import { type GssocksError, PolicyError } from "../../../src/errors.js";
import { formatEndpoint, parseHost } from "../../../src/protocol/address.js";
import { encodeGssapiMessage } from "../../../src/protocol/gssapi-message.js";
import { type AgreedLevel, levelToOctet } from "../../../src/protocol/protection-level.js";
import { ServerMachine } from "../../../src/protocol/server-machine.js";
import type { ServerEffect, ServerInput, ServerState } from "../../../src/protocol/server-state.js";
import { unwrap, wrap } from "./fake-wrap.js";

export interface FakeServerOptions {
  methods?: readonly number[];
  nec?: boolean;
  /** What accept gives for each token of the client; the last one completes. Default: one. */
  tokens?: readonly (string | null)[];
  levels?: readonly AgreedLevel[];
  rep?: number;
  /** The code of the error that comes with a `rep` which is not 0. */
  code?: string;
  socks4?: boolean;
  /** The password that is right. Default: secret. */
  password?: string;
  /** Keep results back until `release`. */
  hold?: boolean;
}

export class FakeServer {
  readonly machine: ServerMachine;
  /** Each effect in a line; what depends on how octets were cut (`rest`) left out. */
  readonly log: string[] = [];
  /** Octets for the client, since it was last emptied. */
  sent: Buffer[] = [];
  relayed: Buffer = Buffer.alloc(0);
  refused: { state: ServerState; error: GssocksError } | null = null;
  readonly #options: FakeServerOptions;
  readonly #tokens: (string | null)[];
  #held: ServerInput[] = [];

  constructor(options: FakeServerOptions = {}) {
    this.#options = options;
    this.#tokens = [...(options.tokens ?? ["server"])];
    const { methods = [1], nec = false, socks4 = false } = options;
    this.machine = new ServerMachine({ methods, nec, socks4 });
  }

  octets(octets: Uint8Array): void {
    if (this.log.at(-1) === "associate") return;
    if (this.machine.state === "relaying") this.relayed = Buffer.concat([this.relayed, octets]);
    else this.feed({ type: "octets", octets });
  }

  feed(input: ServerInput): void {
    for (const effect of this.machine.feed(input)) this.#carryOut(effect);
  }

  /** Feeds the results that were held back. */
  release(): void {
    const held = this.#held;
    this.#held = [];
    for (const input of held) this.feed(input);
  }

  takeSent(): Buffer {
    const sent = Buffer.concat(this.sent);
    this.sent = [];
    return sent;
  }

  #result(input: ServerInput): void {
    if (this.#options.hold === true) this.#held.push(input);
    else this.feed(input);
  }

  #carryOut(effect: ServerEffect): void {
    switch (effect.type) {
      case "methods":
        this.log.push(`methods ${effect.methods.join(" ")}, selected ${effect.selected}`);
        return;
      case "send":
        this.log.push(`send ${effect.octets.toString("hex")}`);
        this.sent.push(effect.octets);
        return;
      case "verify":
        this.log.push(`verify ${effect.username} ${effect.password.toString()}`);
        return this.#verify(effect.password.toString());
      case "accept":
        this.log.push(`accept ${effect.token.toString()}`);
        return this.#accept();
      case "open-level":
        this.log.push(`open-level ${effect.token.toString("hex")}`);
        return this.#openLevel(effect.token);
      case "seal-level": {
        this.log.push(`seal-level ${effect.level} for ${effect.offered}${effect.nec ? ", bare" : ""}`);
        const octet = Buffer.of(levelToOctet(effect.level));
        this.sent.push(encodeGssapiMessage(2, effect.nec ? octet : wrap(octet)));
        return;
      }
      case "protect":
        this.log.push(`protect ${effect.level}`);
        if (effect.rest.length > 0) this.octets(effect.rest);
        return;
      case "request":
        this.log.push(
          `request ${effect.request.cmd} ${formatEndpoint(effect.request.dst)}${effect.user === null ? "" : ` as ${JSON.stringify(effect.user)}`}`,
        );
        return this.#reply(effect.request.cmd);
      case "relay":
        this.log.push("relay");
        this.relayed = effect.rest;
        return;
      case "associate":
        this.log.push("associate");
        return;
      case "refuse":
        this.log.push(`refuse ${effect.error.code} in ${effect.state}`);
        this.refused = effect;
    }
  }

  #accept(): void {
    const text = this.#tokens.shift() ?? null;
    const token = text === null ? null : Buffer.from(text);
    if (this.#tokens.length > 0) return this.#result({ type: "accepted", complete: false, token });
    const levels = this.#options.levels ?? ["confidentiality", "integrity"];
    this.#result({ type: "accepted", complete: true, token, levels });
  }

  #openLevel(token: Buffer): void {
    try {
      this.#result({ type: "level-opened", octets: unwrap(token) });
    } catch (error) {
      this.#result({ type: "failed", error: error as GssocksError });
    }
  }

  #verify(password: string): void {
    if (password === (this.#options.password ?? "secret")) return this.#result({ type: "verified" });
    this.#result({ type: "failed", error: new PolicyError("BAD_PASSWORD", "wrong") });
  }

  #reply(cmd: number): void {
    const { rep = 0, code = "TEST" } = this.#options;
    const bnd = { host: parseHost("192.0.2.9"), port: 40000 };
    if (rep !== 0) {
      return this.#result({ type: "replied", rep, error: new PolicyError(code, "refused", { rep }) });
    }
    this.#result({ type: "replied", rep, bnd });
    if (cmd !== 2) return;
    const peer = { host: parseHost("198.51.100.7"), port: 20 };
    this.#result({ type: "replied", rep, bnd: peer });
  }
}
