/**
 * The server's half of SOCKS5 (RFC 1928) with the methods none, GSS-API (RFC 1961) and user/password (RFC 1929), and of
 * SOCKS4, as a pure machine: inputs go in, effects come out.
 *
 * The rules of this file: no I/O, no timer, no GSS call. The driver (server/connection) owns those; it carries out
 * each effect in order and feeds what came of it in again. Octets that arrive while an effect is being carried out are
 * kept, within a bound, and looked at afterwards. Octets are those of the socket until `protect`, the opened plaintext
 * after it; what the machine sends after `protect` is for the driver to seal.
 *
 *     state            input              effects                              next
 *     ---------------  -----------------  -----------------------------------  ---------------
 *     method           octets: 04         (where SOCKS4 is taken)              socks4-request
 *                      octets: METHODS    send METHOD 0x00                     request
 *                                         send METHOD 0x01                     token
 *                                         send METHOD 0x02                     credentials
 *                                         send 05 ff, refuse                   closed
 *     credentials      octets: name, …    verify                               verifying
 *     verifying        verified           send 01 00                           request
 *     token            octets: mtyp 1     accept                               accepting
 *     accepting        accepted, more     send mtyp 1                          token
 *                      accepted, done     send mtyp 1, maybe empty             level
 *     level            octets: mtyp 1     (empty, once) send empty mtyp 1      level
 *                      octets: mtyp 2     open-level                           opening-level
 *                      … bare, NEC        seal-level, protect                  request
 *     opening-level    level-opened       seal-level, protect                  request
 *     request          octets: request    request                              deciding
 *     socks4-request   octets: request    request                              deciding
 *     deciding         replied 0x00       CONNECT: send reply, relay           relaying
 *                                         BIND: send reply                     binding
 *                                         UDP ASSOCIATE: send reply, associate relaying
 *     binding          replied 0x00       send reply, relay                    relaying
 *     any open state   replied, else;     send what the state asks for,        closed
 *                      ended, failed,     refuse
 *                      or bad octets
 */
import { type GssocksError, PeerError, PolicyError } from "../errors.js";
import { UNSPECIFIED } from "./address.js";
import { CMD, METHOD, MTYP, REP, SOCKS4_CD, STATUS } from "./constants.js";
import { ABORT, encodeGssapiMessage, takeGssapiMessage } from "./gssapi-message.js";
import { encodeMethod, takeMethods } from "./method-selection.js";
import { type AgreedLevel, chooseLevel, levelFromOctets, type ProtectionLevel } from "./protection-level.js";
import { ReceiveBuffer } from "./receive-buffer.js";
import { encodeReply } from "./reply.js";
import { takeRequest } from "./request.js";
import { type ServerEffect, type ServerInput, type ServerState, STEPS } from "./server-state.js";
import { encodeSocks4Reply, isSocks4, socks4Refusal, takeSocks4Request } from "./socks4.js";
import { encodeStatus, takeCredentials } from "./username-password.js";

/** Most token exchanges take one leg, IAKERB six: a client that wants more is stalling. */
const MAX_LEGS = 16;

/**
 * What a driver that stops reading past 64 KiB may have kept, one token that was there in part, and one read of the
 * socket behind it.
 */
const RECEIVE_LIMIT = 3 * 65536;

export interface ServerMachineOptions {
  /** METHODs the server takes, in its own order. */
  methods: readonly number[];
  /** Whether a bare level octet is taken (and answered) in place of a wrapped one. */
  nec: boolean;
  /** Whether SOCKS4 and 4a are taken too. */
  socks4: boolean;
}

type Handler<Type extends ServerInput["type"]> = (
  machine: ServerMachine,
  input: Extract<ServerInput, { type: Type }>,
) => ServerEffect[];

type Row = { readonly [Type in Exclude<ServerInput["type"], "octets" | "failed">]?: Handler<Type> } & {
  /** Looks for one whole message in what was received; null while it is not there. */
  readonly parse?: (machine: ServerMachine) => ServerEffect[] | null;
  /** What a client is told when this state fails (RFC 1961 §3.8, RFC 1929 §2, RFC 1928 §6). */
  readonly farewell?: (error: GssocksError, machine: ServerMachine) => Buffer;
};

const WAITING: ReadonlySet<ServerState> = new Set([
  "verifying",
  "accepting",
  "opening-level",
  "deciding",
  "binding",
]);

const abort = () => ABORT;
const wrongPassword = () => encodeStatus(STATUS.FAILURE);
const refusal = (error: GssocksError, machine: ServerMachine) => machine.refusal(error);

const table: { readonly [State in ServerState]: Row } = {
  method: { parse: (machine) => machine.selectMethod() },
  credentials: { parse: (machine) => machine.takeCredentials(), farewell: wrongPassword },
  verifying: { verified: (machine) => machine.verified(), farewell: wrongPassword },
  token: { parse: (machine) => machine.takeToken(), farewell: abort },
  accepting: { accepted: (machine, input) => machine.accepted(input), farewell: abort },
  level: { parse: (machine) => machine.takeLevel(), farewell: abort },
  "opening-level": {
    "level-opened": (machine, input) => machine.agree(input.octets, false),
    farewell: abort,
  },
  request: { parse: (machine) => machine.takeRequest(), farewell: refusal },
  "socks4-request": { parse: (machine) => machine.takeSocks4Request(), farewell: refusal },
  deciding: {
    replied: (machine, input) => machine.replied(input),
    ended: (machine) => machine.endedEarly(),
    farewell: refusal,
  },
  binding: { replied: (machine, input) => machine.replied(input), farewell: refusal },
  relaying: {},
  closed: {},
};

/** Where a selected METHOD leads. */
const NEXT: Readonly<Record<number, ServerState>> = {
  [METHOD.NO_AUTHENTICATION]: "request",
  [METHOD.GSSAPI]: "token",
  [METHOD.USERNAME_PASSWORD]: "credentials",
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
  #socks4 = false;
  #cmd: number = CMD.CONNECT;

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
    throw this.#closedEarly();
  }

  #closedEarly(): PeerError {
    // Of BIND, it is data for the peer.
    const inside = this.#received.length > 0 && this.#cmd !== CMD.BIND;
    const missing = inside ? "in the middle of a message" : "without a message";
    return new PeerError("CLOSED_EARLY", `the client closed ${missing} (${STEPS[this.#state]})`);
  }

  // --- Handlers of the table; called by it alone --------------------------------------------------------------------

  /** @internal */
  selectMethod(): ServerEffect[] | null {
    if (this.#options.socks4 && isSocks4(this.#received)) {
      this.#socks4 = true;
      this.#state = "socks4-request";
      return [];
    }
    const methods = takeMethods(this.#received);
    if (methods === null) return null;
    // By the server's policy, never the client's order: curl always lists 0x00 first.
    const selected = this.#options.methods.find((method) => methods.includes(method)) ?? METHOD.NO_ACCEPTABLE;
    const effects: ServerEffect[] = [
      { type: "methods", methods, selected },
      { type: "send", octets: encodeMethod(selected) },
    ];
    const next = NEXT[selected];
    if (next !== undefined) {
      this.#state = next;
      return effects;
    }
    const error = new PolicyError(
      "NO_ACCEPTABLE_METHOD",
      `the client offers the methods ${hexList(methods)}, we take ${hexList(this.#options.methods)}`,
    );
    return [...effects, ...this.#refuse(error)];
  }

  /** @internal */
  takeCredentials(): ServerEffect[] | null {
    const credentials = takeCredentials(this.#received);
    if (credentials === null) return null;
    this.#state = "verifying";
    return [{ type: "verify", ...credentials }];
  }

  /** @internal */
  verified(): ServerEffect[] {
    this.#state = "request";
    return [{ type: "send", octets: encodeStatus(STATUS.SUCCESS) }];
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
    this.#cmd = request.cmd;
    return [{ type: "request", request, user: null }];
  }

  /** @internal */
  takeSocks4Request(): ServerEffect[] | null {
    const taken = takeSocks4Request(this.#received);
    if (taken === null) return null;
    const { user, ...request } = taken;
    if (request.cmd !== CMD.CONNECT && request.cmd !== CMD.BIND) {
      throw new PeerError("COMMAND_UNSUPPORTED", `SOCKS4 has no command 0x${request.cmd.toString(16)}`);
    }
    this.#state = "deciding";
    this.#cmd = request.cmd;
    return [{ type: "request", request, user }];
  }

  /**
   * @internal A client that has sent all it has to say may half-close while we dial. Where it waits for a peer, its end
   * is all that can tell that it is gone: nobody would look again until the port's time is over.
   */
  endedEarly(): ServerEffect[] {
    if (this.#cmd === CMD.BIND) throw this.#closedEarly();
    return [];
  }

  /** @internal */
  replied({ rep, bnd = UNSPECIFIED, error }: Extract<ServerInput, { type: "replied" }>): ServerEffect[] {
    if (rep !== REP.SUCCEEDED) {
      return this.#refuse(error ?? new PolicyError("REFUSED", "the request was refused", { rep }));
    }
    const octets = this.#socks4 ? encodeSocks4Reply(SOCKS4_CD.GRANTED, bnd) : encodeReply({ rep, bnd });
    const send: ServerEffect = { type: "send", octets };
    if (this.#cmd === CMD.BIND && this.#state === "deciding") {
      this.#state = "binding";
      return [send];
    }
    this.#state = "relaying";
    const rest = this.#received.takeAll();
    return [send, this.#cmd === CMD.UDP_ASSOCIATE ? { type: "associate" } : { type: "relay", rest }];
  }

  /** @internal The reply that says no. */
  refusal(error: GssocksError): Buffer {
    if (this.#socks4) return encodeSocks4Reply(socks4Refusal(error));
    return encodeReply({ rep: error.rep, bnd: UNSPECIFIED });
  }

  #refuse(error: GssocksError): ServerEffect[] {
    const state = this.#state;
    const farewell = table[state].farewell?.(error, this);
    this.#state = "closed";
    if (this.#received.length > 0) this.#received.takeAll();
    const refuse: ServerEffect = { type: "refuse", state, error };
    return farewell === undefined ? [refuse] : [{ type: "send", octets: farewell }, refuse];
  }
}

function hexList(octets: readonly number[]): string {
  return octets.map((octet) => `0x${octet.toString(16).padStart(2, "0")}`).join(" ");
}
