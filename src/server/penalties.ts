/**
 * What a source has done that honest clients don't: each kind keeps it out for a while, and they add up (the idea is
 * OpenSSH's PerSourcePenalties).
 */
import { setTimeout } from "node:timers/promises";
import { type IpNetwork, parseIp } from "../policy/ip-network.js";
import { sourceNetwork } from "../protocol/source-network.js";
import type { Bound } from "./limits.js";
import type { Places } from "./shared-counts.js";

/** Milliseconds. */
export interface PenaltyOptions {
  /** A forged or replayed token, a wrong password. */
  failedAuthentication: number;
  /** No request within `timeouts.handshake`. */
  handshakeTimeout: number;
  /** Octets that are no SOCKS, and no HTTP where that is taken. */
  protocolError: number;
  /** A source with less is let in. */
  least: number;
  /** It is never kept out for longer. */
  most: number;
  /** Without any penalty. */
  exempt: readonly IpNetwork[];
}

type Kind = "failedAuthentication" | "handshakeTimeout" | "protocolError";

const FAILED_AUTHENTICATION: ReadonlySet<string> = new Set([
  "BAD_PASSWORD",
  "BAD_TOKEN",
  "CHANNEL_BINDINGS",
  "REPLAY",
]);

const PROTOCOL_ERROR =
  /^(?:BAD_(?:VERSION|RSV|METHOD|LEVEL|PORT|DOMAIN_NAME|USERNAME|USERID|HTTP)|TOO_MANY_TOKENS|TOKEN_TOO_LONG|TOO_MUCH_DATA|UNEXPECTED_MESSAGE)$/;

const DELAY = 1000;

function kindOf(code: string): Kind | null {
  if (FAILED_AUTHENTICATION.has(code)) return "failedAuthentication";
  if (code === "HANDSHAKE_TIMEOUT") return "handshakeTimeout";
  return PROTOCOL_ERROR.test(code) ? "protocolError" : null;
}

export class Penalties {
  readonly #options: PenaltyOptions;
  readonly #places: Places;

  constructor(options: PenaltyOptions, places: Places) {
    this.#options = options;
    this.#places = places;
  }

  /** A session of a client at `source` failed before it was relayed. */
  note(source: string, code: string): void {
    const kind = kindOf(code);
    if (kind === null || this.#options[kind] === 0 || this.#isExempt(source)) return;
    const { most } = this.#options;
    // One ms of it goes in a ms.
    void this.#places.spend([{ key: keyOf(source), most, within: most, amount: this.#options[kind] }]);
  }

  /** Keeps back the answer to what failed with `code`. Wrong passwords take their time already. */
  async slowDown(source: string, code: string): Promise<void> {
    const guessed = kindOf(code) === "failedAuthentication" && this.#options.failedAuthentication > 0;
    if (guessed && code !== "BAD_PASSWORD" && !this.#isExempt(source)) await setTimeout(DELAY);
  }

  #isExempt(source: string): boolean {
    const ip = parseIp(source);
    return ip !== null && this.#options.exempt.some((each) => each.contains(ip));
  }

  /** To be looked at when a client at `source` connects: there is room while it is not kept out. */
  bound(source: string): Bound | null {
    if (this.#isExempt(source)) return null;
    const { least } = this.#options;
    const reason = `${source} is kept out for what it did before (penalties)`;
    return {
      place: { key: keyOf(source), most: least, within: least, amount: 0 },
      full: { limit: "penalties", reason },
    };
  }
}

function keyOf(source: string): string {
  return `penalty of ${sourceNetwork(source)}`;
}
