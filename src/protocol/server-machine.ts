/**
 * The server's half of SOCKS5 with the GSS-API method, as a pure machine: inputs go in, effects come out.
 *
 * The rules of this file: no I/O, no timer, no GSS call. The driver (server/connection) owns those; it carries out
 * each effect in order and feeds what came of it in again. Octets that arrive while an effect is being carried out are
 * kept, within a bound, and looked at afterwards. Octets are those of the socket until `protect`, the opened plaintext
 * after it; what the machine sends after `protect` is for the driver to seal.
 *
 *     state            input              effects                              next
 *     ---------------  -----------------  -----------------------------------  ---------------
 *     method           octets: METHODS    send METHOD                          token
 *                                         send 05 ff, refuse                   closed
 *     token            octets: mtyp 1     accept                               accepting
 *     accepting        accepted, more     send mtyp 1                          token
 *                      accepted, done     send mtyp 1, maybe empty             level
 *     level            octets: mtyp 1     (empty, once) send empty mtyp 1      level
 *                      octets: mtyp 2     open-level                           opening-level
 *                      … bare, NEC        seal-level, protect                  request
 *     opening-level    level-opened       seal-level, protect                  request
 *     request          octets: request    request                              deciding
 *     deciding         replied 0x00       send reply, relay                    relaying
 *                      replied, else      send reply, refuse                   closed
 *     any open state   ended, failed,     send what the state asks for,        closed
 *                      or bad octets      refuse
 */
import { type GssocksError, PeerError, PolicyError } from "../errors.js";
import { type Endpoint, UNSPECIFIED } from "./address.js";
import { METHOD, MTYP, REP } from "./constants.js";
import { ABORT, encodeGssapiMessage, takeGssapiMessage } from "./gssapi-message.js";
import { encodeMethod, takeMethods } from "./method-selection.js";
import { type AgreedLevel, chooseLevel, levelFromOctets, type ProtectionLevel } from "./protection-level.js";
import { ReceiveBuffer } from "./receive-buffer.js";
import { encodeReply } from "./reply.js";
import { type Request, takeRequest } from "./request.js";

/** Most token exchanges take one leg, IAKERB six: a client that wants more is stalling. */
const MAX_LEGS = 16;

/**
 * What a driver that stops reading past 64 KiB may have kept, one token that was there in part, and one read of the
 * socket behind it.
 */
const RECEIVE_LIMIT = 3 * 65536;

export type ServerState =
  | "method"
  | "token"
  | "accepting"
  | "level"
  | "opening-level"
  | "request"
  | "deciding"
  | "relaying"
  | "closed";

export type ServerInput =
  | { type: "octets"; octets: Uint8Array }
  /** gss_accept_sec_context succeeded. `levels`: allowed here and possible with this context, best first. */
  | { type: "accepted"; complete: false; token: Buffer | null }
  | { type: "accepted"; complete: true; token: Buffer | null; levels: readonly AgreedLevel[] }
  | { type: "level-opened"; octets: Uint8Array }
  | { type: "replied"; rep: number; bnd?: Endpoint; error?: GssocksError }
  /** The client half-closed. */
  | { type: "ended" }
  /** The driver could not carry out an effect, or a deadline passed. */
  | { type: "failed"; error: GssocksError };

export type ServerEffect =
  | { type: "methods"; methods: readonly number[]; selected: number }
  | { type: "send"; octets: Buffer }
  | { type: "accept"; token: Buffer }
  | { type: "open-level"; token: Buffer }
  /** Send the level: wrapped with conf_req FALSE, or bare for `nec`. */
  | { type: "seal-level"; offered: ProtectionLevel; level: AgreedLevel; nec: boolean }
  /** All that follows is under this level; `rest` was received behind the level message. */
  | { type: "protect"; level: AgreedLevel; rest: Buffer }
  | { type: "request"; request: Request }
  /** `rest` is data that the client sent behind its request. */
  | { type: "relay"; rest: Buffer }
  /** Close once what was sent is out. */
  | { type: "refuse"; state: ServerState; error: GssocksError };

export interface ServerMachineOptions {
  /** METHODs the server takes, in its own order. */
  methods: readonly number[];
  /** Whether a bare level octet is taken (and answered) in place of a wrapped one. */
  nec: boolean;
}

type Handler<Type extends ServerInput["type"]> = (
  machine: ServerMachine,
  input: Extract<ServerInput, { type: Type }>,
) => ServerEffect[];

type Row = { readonly [Type in Exclude<ServerInput["type"], "octets" | "failed">]?: Handler<Type> } & {
  /** Looks for one whole message in what was received; null while it is not there. */
  readonly parse?: (machine: ServerMachine) => ServerEffect[] | null;
  /** What a client is told when this state fails (RFC 1961 §3.8, RFC 1928 §6). */
  readonly farewell?: (error: GssocksError) => Buffer;
};

const WAITING: ReadonlySet<ServerState> = new Set(["accepting", "opening-level", "deciding"]);

const abort = () => ABORT;
const failureReply = (error: GssocksError) => encodeReply({ rep: error.rep, bnd: UNSPECIFIED });

const table: { readonly [State in ServerState]: Row } = {
  method: { parse: (machine) => machine.selectMethod() },
  token: { parse: (machine) => machine.takeToken(), farewell: abort },
  accepting: { accepted: (machine, input) => machine.accepted(input), farewell: abort },
  level: { parse: (machine) => machine.takeLevel(), farewell: abort },
  "opening-level": {
    "level-opened": (machine, input) => machine.agree(input.octets, false),
    farewell: abort,
  },
  request: { parse: (machine) => machine.takeRequest(), farewell: failureReply },
  // A client that has sent all it has to say may half-close while we dial.
  deciding: { replied: (machine, input) => machine.replied(input), ended: () => [], farewell: failureReply },
  relaying: {},
  closed: {},
};

export class ServerMachine {
  readonly #options: ServerMachineOptions;
  readonly #received = new ReceiveBuffer(RECEIVE_LIMIT);
  #state: ServerState = "method";
  #legs = 0;
  #emptyTokenAnswered = false;
  #levels: readonly AgreedLevel[] = [];
  #offered: ProtectionLevel | null = null;
  #level: AgreedLevel | null = null;

  constructor(options: ServerMachineOptions) {
    this.#options = options;
  }

  get state(): ServerState {
    return this.#state;
  }

  /** Octets kept for later; a driver stops reading while this is large. */
  get buffered(): number {
    return this.#received.length;
  }

  /** Whether an effect's result is awaited: what arrives meanwhile is only kept. */
  get waiting(): boolean {
    return WAITING.has(this.#state);
  }

  /** Feeds one input. Effects are to be carried out in order; closed and relaying machines take nothing and give nothing. */
  feed(input: ServerInput): ServerEffect[] {
    if (this.#state === "closed" || this.#state === "relaying") return [];
    const effects: ServerEffect[] = [];
    try {
      effects.push(...this.#dispatch(input));
      for (;;) {
        const more = table[this.#state].parse?.(this);
        if (more === null || more === undefined) return effects;
        effects.push(...more);
      }
    } catch (error) {
      if (!(error instanceof PeerError || error instanceof PolicyError)) throw error;
      effects.push(...this.#refuse(error));
      return effects;
    }
  }

  #dispatch(input: ServerInput): ServerEffect[] {
    if (input.type === "octets") {
      this.#received.append(input.octets);
      return [];
    }
    if (input.type === "failed") return this.#refuse(input.error);
    const handler = table[this.#state][input.type] as Handler<typeof input.type> | undefined;
    if (handler !== undefined) return handler(this, input as never);
    if (input.type !== "ended") throw new Error(`server machine: ${input.type} in state ${this.#state}`);
    const [offered, level] = [this.#offered, this.#level];
    if (this.#state === "request" && this.#received.length === 0 && offered !== level) {
      throw new PeerError(
        "LEVEL_REFUSED",
        `the client closed after our counter-offer: it offered level ${offered}, we answered ${level} (gssapi.protectionLevels)`,
      );
    }
    const missing = this.#received.length > 0 ? "in the middle of a message" : "without a message";
    throw new PeerError("CLOSED_EARLY", `the client closed ${missing} (${STEPS[this.#state]})`);
  }

  // --- Handlers of the table; called by it alone --------------------------------------------------------------------

  /** @internal */
  selectMethod(): ServerEffect[] | null {
    const methods = takeMethods(this.#received);
    if (methods === null) return null;
    // By the server's policy, never the client's order: curl always lists 0x00 first.
    const selected = this.#options.methods.find((method) => methods.includes(method)) ?? METHOD.NO_ACCEPTABLE;
    const effects: ServerEffect[] = [
      { type: "methods", methods, selected },
      { type: "send", octets: encodeMethod(selected) },
    ];
    if (selected !== METHOD.NO_ACCEPTABLE) {
      this.#state = "token";
      return effects;
    }
    const error = new PolicyError(
      "NO_ACCEPTABLE_METHOD",
      `the client offers the methods ${hexList(methods)}, we take ${hexList(this.#options.methods)}`,
    );
    return [...effects, ...this.#refuse(error)];
  }

  /** @internal */
  takeToken(): ServerEffect[] | null {
    const message = takeGssapiMessage(this.#received, [MTYP.AUTHENTICATION]);
    if (message === null) return null;
    this.#legs += 1;
    if (this.#legs > MAX_LEGS) throw new PeerError("TOO_MANY_TOKENS", `no context after ${MAX_LEGS} tokens`);
    this.#state = "accepting";
    return [{ type: "accept", token: message.token }];
  }

  /** @internal */
  accepted(input: Extract<ServerInput, { type: "accepted" }>): ServerEffect[] {
    // An empty token is sent only where the library gave none: after a token, curl and Dante break on it.
    const reply: ServerEffect = {
      type: "send",
      octets: encodeGssapiMessage(MTYP.AUTHENTICATION, input.token ?? Buffer.alloc(0)),
    };
    if (!input.complete) {
      this.#state = "token";
      return [reply];
    }
    if (input.levels.length === 0) {
      throw new PolicyError(
        "LEVEL_IMPOSSIBLE",
        "the client's context offers none of the allowed protection levels",
      );
    }
    this.#levels = input.levels;
    this.#state = "level";
    return [reply];
  }

  /** @internal */
  takeLevel(): ServerEffect[] | null {
    const message = takeGssapiMessage(this.#received, [MTYP.PROTECTION_LEVEL, MTYP.AUTHENTICATION]);
    if (message === null) return null;
    if (message.mtyp === MTYP.AUTHENTICATION) return this.#answerEmptyToken(message.token);
    if (message.token.length === 1) {
      if (this.#options.nec) return this.agree(message.token, true);
      throw new PolicyError(
        "NEC_NOT_ALLOWED",
        "the client sent its protection level bare (NEC mode), which this listener does not allow (gssapi.nec)",
      );
    }
    this.#state = "opening-level";
    return [{ type: "open-level", token: message.token }];
  }

  #answerEmptyToken(token: Buffer): ServerEffect[] {
    if (token.length > 0 || this.#emptyTokenAnswered) {
      throw new PeerError("UNEXPECTED_MESSAGE", "a token after the security context was complete");
    }
    this.#emptyTokenAnswered = true;
    return [{ type: "send", octets: encodeGssapiMessage(MTYP.AUTHENTICATION, token) }];
  }

  /** @internal */
  agree(octets: Uint8Array, nec: boolean): ServerEffect[] {
    const offered = levelFromOctets(octets);
    const level = chooseLevel(offered, this.#levels);
    this.#offered = offered;
    this.#level = level;
    this.#state = "request";
    return [
      { type: "seal-level", offered, level, nec },
      { type: "protect", level, rest: this.#received.takeAll() },
    ];
  }

  /** @internal */
  takeRequest(): ServerEffect[] | null {
    if (this.#level === "none" && this.#received.length > 0 && this.#received.octet(0) === 0x01) {
      throw new PeerError(
        "SEALED_AT_LEVEL_NONE",
        "level none was agreed, but the client seals its request all the same",
      );
    }
    const request = takeRequest(this.#received);
    if (request === null) return null;
    this.#state = "deciding";
    return [{ type: "request", request }];
  }

  /** @internal */
  replied({ rep, bnd, error }: Extract<ServerInput, { type: "replied" }>): ServerEffect[] {
    if (rep !== REP.SUCCEEDED) {
      return this.#refuse(error ?? new PolicyError("REFUSED", "the request was refused", { rep }));
    }
    this.#state = "relaying";
    return [
      { type: "send", octets: encodeReply({ rep, bnd: bnd ?? UNSPECIFIED }) },
      { type: "relay", rest: this.#received.takeAll() },
    ];
  }

  #refuse(error: GssocksError): ServerEffect[] {
    const state = this.#state;
    const farewell = table[state].farewell?.(error);
    this.#state = "closed";
    if (this.#received.length > 0) this.#received.takeAll();
    const refuse: ServerEffect = { type: "refuse", state, error };
    return farewell === undefined ? [refuse] : [{ type: "send", octets: farewell }, refuse];
  }
}

/** What a state is called in a message to a person. */
export const STEPS: { readonly [State in ServerState]: string } = {
  method: "method selection",
  token: "context establishment",
  accepting: "context establishment",
  level: "protection level negotiation",
  "opening-level": "protection level negotiation",
  request: "request",
  deciding: "reply",
  relaying: "relay",
  closed: "closed",
};

function hexList(octets: readonly number[]): string {
  return octets.map((octet) => `0x${octet.toString(16).padStart(2, "0")}`).join(" ");
}
