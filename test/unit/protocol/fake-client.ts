/** The mirror image of fake-server: a driver of the client machine on made-up tokens. */
import assert from "node:assert/strict";
import type { GssocksError } from "../../../src/errors.js";
import { type Endpoint, formatEndpoint, parseHost } from "../../../src/protocol/address.js";
import { ClientMachine } from "../../../src/protocol/client-machine.js";
import type {
  ClientEffect,
  ClientInput,
  ClientMethod,
  ClientState,
} from "../../../src/protocol/client-state.js";
import { encodeGssapiMessage } from "../../../src/protocol/gssapi-message.js";
import { levelToOctet, type ProtectionLevel } from "../../../src/protocol/protection-level.js";
import type { Credentials } from "../../../src/protocol/username-password.js";
import { unwrap, wrap } from "./fake-wrap.js";
import { hex } from "./hex.js";

export interface FakeClientOptions {
  cmd?: number;
  /** Default: gssapi. */
  methods?: readonly [ClientMethod, ...ClientMethod[]];
  credentials?: Credentials;
  hops?: number;
  dst?: Endpoint;
  levels?: readonly [ProtectionLevel, ...ProtectionLevel[]];
  nec?: boolean;
  /** What each call of init gives; the last one completes. Default: one token, then none, as krb5 with mutual authentication. */
  tokens?: readonly (string | null)[];
  /** Keep results back until `release`. */
  hold?: boolean;
}

export class FakeClient {
  readonly machine: ClientMachine;
  readonly log: string[] = [];
  sent: Buffer[] = [];
  relayed: Buffer = Buffer.alloc(0);
  refused: { state: ClientState; error: GssocksError } | null = null;
  readonly #options: FakeClientOptions;
  readonly #tokens: (string | null)[];
  #held: ClientInput[] = [];

  constructor(options: FakeClientOptions = {}) {
    this.#options = options;
    this.#tokens = [...(options.tokens ?? ["client", null])];
    this.machine = new ClientMachine({
      cmd: options.cmd ?? 1,
      methods: options.methods ?? ["gssapi"],
      credentials: options.credentials,
      hops: options.hops,
      dst: options.dst ?? { host: parseHost("198.51.100.7"), port: 80 },
      levels: options.levels ?? ["confidentiality"],
      nec: options.nec ?? false,
    });
  }

  start(): void {
    this.feed({ type: "start" });
  }

  octets(octets: Uint8Array): void {
    if (this.machine.state === "relaying") this.relayed = Buffer.concat([this.relayed, octets]);
    else this.feed({ type: "octets", octets });
  }

  feed(input: ClientInput): void {
    let rest: Buffer = Buffer.alloc(0);
    for (const effect of this.machine.feed(input)) {
      if (effect.type === "protect") rest = effect.rest;
      this.#carryOut(effect);
    }
    if (rest.length > 0) this.octets(rest);
  }

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

  #result(input: ClientInput): void {
    if (this.#options.hold === true) this.#held.push(input);
    else this.feed(input);
  }

  #carryOut(effect: ClientEffect): void {
    switch (effect.type) {
      case "send":
        this.log.push(`send ${effect.octets.toString("hex")}`);
        this.sent.push(effect.octets);
        return;
      case "method":
        if (effect.method !== "gssapi") this.log.push(`method ${effect.method}`);
        return;
      case "bound":
        this.log.push(`bound ${formatEndpoint(effect.bnd)}`);
        return;
      case "init": {
        this.log.push(effect.token === null ? "init" : `init ${effect.token.toString()}`);
        const text = this.#tokens.shift() ?? null;
        const token = text === null ? null : Buffer.from(text);
        return this.#result({ type: "initiated", complete: this.#tokens.length === 0, token });
      }
      case "seal-level": {
        this.log.push(`seal-level ${effect.level}${effect.nec ? ", bare" : ""}`);
        const octet = Buffer.of(levelToOctet(effect.level));
        this.sent.push(encodeGssapiMessage(2, effect.nec ? octet : wrap(octet)));
        return;
      }
      case "open-level":
        this.log.push(`open-level ${effect.token.toString("hex")}`);
        return this.#openLevel(effect.token);
      case "protect":
        this.log.push(`protect ${effect.level}`);
        return;
      case "relay":
        this.log.push(`relay ${formatEndpoint(effect.bnd)}`);
        this.relayed = effect.rest;
        return;
      case "refuse":
        this.log.push(`refuse ${effect.error.code} in ${effect.state}`);
        this.refused = effect;
    }
  }

  #openLevel(token: Buffer): void {
    try {
      this.#result({ type: "level-opened", octets: unwrap(token) });
    } catch (error) {
      this.#result({ type: "failed", error: error as GssocksError });
    }
  }
}

/** Feeds the proxy's octets whole and byte by byte; both must come to the same. */
export function ask(proxy: string, options: FakeClientOptions = {}): FakeClient {
  const octets = hex(proxy);
  const whole = new FakeClient(options);
  whole.start();
  whole.octets(octets);
  const slow = new FakeClient(options);
  slow.start();
  for (const octet of octets) slow.octets(Buffer.of(octet));
  assert.deepEqual(slow.log, whole.log);
  assert.deepEqual(slow.relayed, whole.relayed);
  assert.deepEqual(slow.takeSent(), Buffer.concat(whole.sent));
  return whole;
}
