/**
 * The client's half of SOCKS5, as a pure machine: the mirror image of server-machine, under the same rules (octets are
 * the socket's until `protect` and opened plaintext after it; the driver seals what follows).
 *
 *     state            input              effects                              next
 *     ---------------  -----------------  -----------------------------------  ---------------
 *     idle             start              send METHODS                         method
 *     method           octets: METHOD     method; gssapi: init (no token)      initiating
 *                                         password: send RFC 1929's message    status
 *                                         none: send request                   reply
 *     status           octets: STATUS     send request                         reply
 *     initiating       initiated, more    send mtyp 1                          token
 *                      initiated, done    send mtyp 1, when there is a token   confirm
 *                                         seal-level, when there is none       level
 *     token            octets: mtyp 1     init                                 initiating
 *     confirm          octets: mtyp 1     (empty) seal-level                   level
 *     level            octets: mtyp 2     open-level                           opening-level
 *                      … bare, NEC        protect, send request                reply
 *     opening-level    level-opened       protect, send request                reply
 *     reply            octets: reply      relay                                relaying
 *                      … of a BIND        bound                                second-reply
 *     second-reply     octets: reply      relay                                relaying
 *     any open state   ended, failed,     refuse                               closed
 *                      or bad octets
 */
import { type GssocksError, NetworkError, PeerError, PolicyError } from "../errors.js";
import { formatEndpoint } from "./address.js";
import {
  CLOSED_IN,
  type ClientEffect,
  type ClientInput,
  type ClientMachineOptions,
  type ClientMethod,
  type ClientState,
} from "./client-state.js";
import { CMD, METHOD, MTYP, REP, STATUS } from "./constants.js";
import { encodeGssapiMessage, takeGssapiMessage } from "./gssapi-message.js";
import { hopMark } from "./hop-mark.js";
import { encodeMethods, takeMethod } from "./method-selection.js";
import { levelFromOctets } from "./protection-level.js";
import { ReceiveBuffer } from "./receive-buffer.js";
import { describeRep, takeReply } from "./reply.js";
import { encodeRequest } from "./request.js";
import { encodeCredentials, takeStatus } from "./username-password.js";

/** One whole message of 64 KiB and one read of the socket behind it. */
const RECEIVE_LIMIT = 2 * 65536 + 1024;

const MAX_LEGS = 16;

/** METHODs by their names. */
export const METHOD_NUMBERS: Readonly<Record<ClientMethod, number>> = {
  gssapi: METHOD.GSSAPI,
  password: METHOD.USERNAME_PASSWORD,
  none: METHOD.NO_AUTHENTICATION,
};

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
  status: { parse: (machine) => machine.takeStatus() },
  initiating: { initiated: (machine, input) => machine.initiated(input) },
  token: { parse: (machine) => machine.takeToken() },
  confirm: { parse: (machine) => machine.takeConfirmation() },
  level: { parse: (machine) => machine.takeLevel() },
  "opening-level": { "level-opened": (machine, input) => machine.agree(input.octets) },
  reply: { parse: (machine) => machine.takeReply() },
  "second-reply": { parse: (machine) => machine.takeSecondReply() },
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
    const { methods, hops } = this.#options;
    const numbers = methods.map((method) => METHOD_NUMBERS[method]);
    if (hops !== undefined) numbers.push(hopMark(hops));
    return [{ type: "send", octets: encodeMethods(numbers) }];
  }

  /** @internal */
  takeMethod(): ClientEffect[] | null {
    const number = takeMethod(this.#received);
    if (number === null) return null;
    const { methods } = this.#options;
    if (number === METHOD.NO_ACCEPTABLE) {
      throw new PolicyError(
        "NO_ACCEPTABLE_METHOD",
        `the proxy takes no method that we offer: ${methods.join(", ")} (it answered 05 ff)`,
      );
    }
    const method = methods.find((each) => METHOD_NUMBERS[each] === number);
    if (method === undefined)
      throw new PeerError("BAD_METHOD", `the proxy selected method ${number}, which was not offered`);
    return [{ type: "method", method }, ...this.#begin(method)];
  }

  #begin(method: ClientMethod): ClientEffect[] {
    if (method === "none") return [this.#request()];
    if (method === "gssapi") {
      this.#state = "initiating";
      return [{ type: "init", token: null }];
    }
    const { credentials } = this.#options;
    if (credentials === undefined) throw new Error("client machine: the method password without credentials");
    this.#state = "status";
    return [{ type: "send", octets: encodeCredentials(credentials), secret: true }];
  }

  /** @internal RFC 1929 §2 */
  takeStatus(): ClientEffect[] | null {
    const status = takeStatus(this.#received);
    if (status === null) return null;
    if (status === STATUS.SUCCESS) return [this.#request()];
    throw new PeerError(
      "AUTHENTICATION_REFUSED",
      `the proxy refused our username and password (STATUS ${status}); its log says why`,
    );
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
    const { levels } = this.#options;
    if (!levels.includes(level)) {
      throw new PolicyError(
        "LEVEL_REFUSED",
        `the proxy answered with protection level ${level}, we accept only ${levels.join(", ")}; allow that level there (gssapi.protectionLevels) or ask for another one (--level)`,
      );
    }
    return [{ type: "protect", level, rest: this.#received.takeAll() }, this.#request()];
  }

  #request(): ClientEffect {
    const { cmd, dst } = this.#options;
    this.#state = "reply";
    return { type: "send", octets: encodeRequest({ cmd, dst }) };
  }

  /** @internal */
  takeReply(): ClientEffect[] | null {
    const reply = takeReply(this.#received);
    if (reply === null) return null;
    if (reply.rep !== REP.SUCCEEDED) throw this.#replyError(reply.rep);
    if (this.#options.cmd === CMD.BIND) {
      this.#state = "second-reply";
      return [{ type: "bound", bnd: reply.bnd }];
    }
    this.#state = "relaying";
    return [{ type: "relay", bnd: reply.bnd, rest: this.#received.takeAll() }];
  }

  /** @internal RFC 1928 §6: of a BIND, once somebody has connected, or nobody will. */
  takeSecondReply(): ClientEffect[] | null {
    const reply = takeReply(this.#received);
    if (reply === null) return null;
    const { rep, bnd } = reply;
    if (rep !== REP.SUCCEEDED) {
      const why = `${describeRep(rep)} (REP ${rep})`;
      throw new NetworkError("NOBODY_CONNECTED", `nobody has connected to the proxy for us: ${why}`, { rep });
    }
    this.#state = "relaying";
    return [{ type: "relay", bnd, rest: this.#received.takeAll() }];
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
