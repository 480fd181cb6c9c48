/**
 * The client's half of SOCKS5 with the GSS-API method, as a pure machine: the mirror image of server-machine, under the
 * same rules (octets are the socket's until `protect` and opened plaintext after it; the driver seals what follows).
 *
 *     state            input              effects                              next
 *     ---------------  -----------------  -----------------------------------  ---------------
 *     idle             start              send METHODS                         method
 *     method           octets: METHOD     init (no token)                      initiating
 *     initiating       initiated, more    send mtyp 1                          token
 *                      initiated, done    send mtyp 1, when there is a token   confirm
 *                                         seal-level, when there is none       level
 *     token            octets: mtyp 1     init                                 initiating
 *     confirm          octets: mtyp 1     (empty) seal-level                   level
 *     level            octets: mtyp 2     open-level                           opening-level
 *                      … bare, NEC        protect, send request                reply
 *     opening-level    level-opened       protect, send request                reply
 *     reply            octets: reply      relay                                relaying
 *     any open state   ended, failed,     refuse                               closed
 *                      or bad octets
 */
import { type GssocksError, NetworkError, PeerError, PolicyError } from "../errors.js";
import { type Endpoint, formatEndpoint } from "./address.js";
import { METHOD, MTYP, REP } from "./constants.js";
import { encodeGssapiMessage, takeGssapiMessage } from "./gssapi-message.js";
import { encodeMethods, takeMethod } from "./method-selection.js";
import { levelFromOctets, type ProtectionLevel } from "./protection-level.js";
import { ReceiveBuffer } from "./receive-buffer.js";
import { describeRep, takeReply } from "./reply.js";
import { encodeRequest } from "./request.js";

/** One whole message of 64 KiB and one read of the socket behind it. */
const RECEIVE_LIMIT = 2 * 65536 + 1024;

const MAX_LEGS = 16;

export type ClientState =
  | "idle"
  | "method"
  | "initiating"
  | "token"
  | "confirm"
  | "level"
  | "opening-level"
  | "reply"
  | "relaying"
  | "closed";

export type ClientInput =
  | { type: "start" }
  | { type: "octets"; octets: Uint8Array }
  | { type: "initiated"; complete: boolean; token: Buffer | null }
  | { type: "level-opened"; octets: Uint8Array }
  | { type: "ended" }
  | { type: "failed"; error: GssocksError };

export type ClientEffect =
  | { type: "send"; octets: Buffer }
  | { type: "init"; token: Buffer | null }
  | { type: "seal-level"; level: ProtectionLevel; nec: boolean }
  | { type: "open-level"; token: Buffer }
  | { type: "protect"; level: ProtectionLevel; rest: Buffer }
  | { type: "relay"; bnd: Endpoint; rest: Buffer }
  | { type: "refuse"; state: ClientState; error: GssocksError };

export interface ClientMachineOptions {
  /** CONNECT or UDP ASSOCIATE: one reply is expected. */
  cmd: number;
  dst: Endpoint;
  /** Levels the caller accepts, the one to offer first. */
  levels: readonly [ProtectionLevel, ...ProtectionLevel[]];
  /** Send the level bare, and take a bare answer. */
  nec: boolean;
}

type Handler<Type extends ClientInput["type"]> = (
  machine: ClientMachine,
  input: Extract<ClientInput, { type: Type }>,
) => ClientEffect[];

type Row = {
  readonly [Type in Exclude<ClientInput["type"], "octets" | "failed" | "ended">]?: Handler<Type>;
} & {
  readonly parse?: (machine: ClientMachine) => ClientEffect[] | null;
};

const table: { readonly [State in ClientState]: Row } = {
  idle: { start: (machine) => machine.start() },
  method: { parse: (machine) => machine.takeMethod() },
  initiating: { initiated: (machine, input) => machine.initiated(input) },
  token: { parse: (machine) => machine.takeToken() },
  confirm: { parse: (machine) => machine.takeConfirmation() },
  level: { parse: (machine) => machine.takeLevel() },
  "opening-level": { "level-opened": (machine, input) => machine.agree(input.octets) },
  reply: { parse: (machine) => machine.takeReply() },
  relaying: {},
  closed: {},
};

export class ClientMachine {
  readonly #options: ClientMachineOptions;
  readonly #received = new ReceiveBuffer(RECEIVE_LIMIT);
  #state: ClientState = "idle";
  #legs = 0;

  constructor(options: ClientMachineOptions) {
    this.#options = options;
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Feeds one input; the effects are to be carried out in order. */
  feed(input: ClientInput): ClientEffect[] {
    if (this.#state === "closed" || this.#state === "relaying") return [];
    const effects: ClientEffect[] = [];
    try {
      effects.push(...this.#dispatch(input));
      for (;;) {
        const more = table[this.#state].parse?.(this);
        if (more === null || more === undefined) return effects;
        effects.push(...more);
      }
    } catch (error) {
      if (!(error instanceof PeerError || error instanceof PolicyError || error instanceof NetworkError))
        throw error;
      effects.push(...this.#refuse(error));
      return effects;
    }
  }

  #dispatch(input: ClientInput): ClientEffect[] {
    if (input.type === "octets") {
      this.#received.append(input.octets);
      return [];
    }
    if (input.type === "failed") return this.#refuse(input.error);
    if (input.type === "ended")
      throw new PeerError("CLOSED_EARLY", `the proxy closed the connection ${CLOSED_IN[this.#state]}`);
    const handler = table[this.#state][input.type] as Handler<typeof input.type> | undefined;
    if (handler === undefined) throw new Error(`client machine: ${input.type} in state ${this.#state}`);
    return handler(this, input as never);
  }

  // --- Handlers of the table; called by it alone --------------------------------------------------------------------

  /** @internal */
  start(): ClientEffect[] {
    this.#state = "method";
    return [{ type: "send", octets: encodeMethods([METHOD.GSSAPI]) }];
  }

  /** @internal */
  takeMethod(): ClientEffect[] | null {
    const method = takeMethod(this.#received);
    if (method === null) return null;
    if (method === METHOD.NO_ACCEPTABLE) {
      throw new PolicyError(
        "NO_ACCEPTABLE_METHOD",
        "the proxy does not take the GSS-API method (it answered 05 ff)",
      );
    }
    if (method !== METHOD.GSSAPI) {
      throw new PeerError("BAD_METHOD", `the proxy selected method ${method}, which was not offered`);
    }
    this.#state = "initiating";
    return [{ type: "init", token: null }];
  }

  /** @internal */
  initiated({ complete, token }: Extract<ClientInput, { type: "initiated" }>): ClientEffect[] {
    const effects: ClientEffect[] = [];
    if (token !== null)
      effects.push({ type: "send", octets: encodeGssapiMessage(MTYP.AUTHENTICATION, token) });
    if (!complete) {
      if (token === null)
        throw new PeerError("BAD_TOKEN", "the mechanism wants a further token but has none to send");
      this.#state = "token";
    } else if (token !== null) {
      this.#state = "confirm";
    } else {
      effects.push(...this.#offerLevel());
    }
    return effects;
  }

  /** @internal */
  takeToken(): ClientEffect[] | null {
    const token = this.#takeAuthentication();
    if (token === null) return null;
    this.#legs += 1;
    if (this.#legs > MAX_LEGS) throw new PeerError("TOO_MANY_TOKENS", `no context after ${MAX_LEGS} tokens`);
    this.#state = "initiating";
    return [{ type: "init", token }];
  }

  /** @internal RFC 1961 §3.6: after our last token the server says with an empty one that it is ready. */
  takeConfirmation(): ClientEffect[] | null {
    const token = this.#takeAuthentication();
    if (token === null) return null;
    if (token.length > 0)
      throw new PeerError("UNEXPECTED_MESSAGE", "a token after the security context was complete");
    return this.#offerLevel();
  }

  #takeAuthentication(): Buffer | null {
    return this.#take(MTYP.AUTHENTICATION, "AUTHENTICATION_REFUSED", "our ticket");
  }

  /** A message's token; an abort (RFC 1961 §3.8) is told by what it refuses. */
  #take(mtyp: number, code: string, what: string): Buffer | null {
    try {
      return takeGssapiMessage(this.#received, [mtyp])?.token ?? null;
    } catch (error) {
      if (!(error instanceof PeerError && error.code === "ABORTED")) throw error;
      throw new PeerError(code, `the proxy refused ${what} (01 ff); its log says why`, { cause: error });
    }
  }

  #offerLevel(): ClientEffect[] {
    this.#state = "level";
    return [{ type: "seal-level", level: this.#options.levels[0], nec: this.#options.nec }];
  }

  /** @internal */
  takeLevel(): ClientEffect[] | null {
    const { levels, nec } = this.#options;
    const offer = `protection level ${levels[0]}${nec ? " in NEC mode" : ""}`;
    const token = this.#take(MTYP.PROTECTION_LEVEL, "LEVEL_REFUSED", offer);
    if (token === null) return null;
    if (token.length === 1 && nec) return this.agree(token);
    this.#state = "opening-level";
    return [{ type: "open-level", token }];
  }

  /** @internal */
  agree(octets: Uint8Array): ClientEffect[] {
    const level = levelFromOctets(octets);
    const { levels, cmd, dst } = this.#options;
    if (!levels.includes(level)) {
      throw new PolicyError(
        "LEVEL_REFUSED",
        `the proxy answered with protection level ${level}, we accept only ${levels.join(", ")}; allow that level there (gssapi.protectionLevels) or ask for another one (--level)`,
      );
    }
    this.#state = "reply";
    return [
      { type: "protect", level, rest: this.#received.takeAll() },
      { type: "send", octets: encodeRequest({ cmd, dst }) },
    ];
  }

  /** @internal */
  takeReply(): ClientEffect[] | null {
    const reply = takeReply(this.#received);
    if (reply === null) return null;
    if (reply.rep !== REP.SUCCEEDED) throw this.#replyError(reply.rep);
    this.#state = "relaying";
    return [{ type: "relay", bnd: reply.bnd, rest: this.#received.takeAll() }];
  }

  #replyError(rep: number): GssocksError {
    const what = `${formatEndpoint(this.#options.dst)}: ${describeRep(rep)} (REP ${rep})`;
    if (rep === REP.NOT_ALLOWED) {
      return new PolicyError("RULE_DENIED", `the proxy's rules deny ${what}; its audit log names the rule`, {
        rep,
      });
    }
    const unreachable = rep >= REP.NETWORK_UNREACHABLE && rep <= REP.TTL_EXPIRED;
    if (unreachable)
      return new NetworkError("DESTINATION_REFUSED", `the proxy could not reach ${what}`, { rep });
    return new PeerError("REQUEST_REFUSED", `the proxy refused ${what}`, { rep });
  }

  #refuse(error: GssocksError): ClientEffect[] {
    const state = this.#state;
    this.#state = "closed";
    return [{ type: "refuse", state, error }];
  }
}

const CLOSED_IN: { readonly [State in ClientState]: string } = {
  idle: "at once",
  method: "in answer to our methods: is it a SOCKS5 proxy?",
  initiating: "during context establishment",
  token: "in answer to our token: is it an RFC 1961 proxy?",
  confirm: "in answer to our last token",
  level: "in answer to our protection level: it may not allow that level",
  "opening-level": "during protection level negotiation",
  reply: "in answer to our request",
  relaying: "after the reply",
  closed: "twice",
};
