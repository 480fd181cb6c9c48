/**
 * Carries octets on a thread of the addon: the sockets leave Node's event loop once the handshake is over. For TCP
 * sockets, in clear or under a fast context; everything else is for {@link Pump}.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { getSystemErrorName } from "node:util";
import { type GssocksError, NetworkError } from "../errors.js";
import { openFailure } from "../gss/fast-context.js";
import { supplementaryInfo } from "../gss/flags.js";
import { NativeRelay, type RelayOutcome } from "../gss/native-relay.js";
import type { Carried, Carrier, CarrierOptions } from "./carrier.js";
import { Deadlines } from "./deadlines.js";
import { CLEAR, ContextProtection } from "./message-protection.js";
import { brokenBy } from "./cut-off.js";
import { badToken, checkOrder, frameLength, notConfidential, truncated } from "./token-engine.js";

const NOTHING = Buffer.alloc(0);

export class NativePump implements Carrier {
  readonly done: Promise<GssocksError | null>;
  readonly #relay: NativeRelay;
  #reason: GssocksError | null = null;

  /** @returns null, and nothing was done, where these sockets or their protection are not for the addon */
  static start(options: CarrierOptions): NativePump | null {
    const { client, destination, protection } = options;
    const sides = [client, destination].map(descriptorOf);
    const [clientFd = -1, destinationFd = -1] = sides;
    const sealed = protection instanceof ContextProtection ? protection.lendable() : null;
    if (sides.includes(-1) || (sealed === null && protection !== CLEAR)) return null;
    const read = { client: readSoFar(client), destination: readSoFar(destination) };
    const relay = NativeRelay.start({
      client: clientFd,
      destination: destinationFd,
      protection: sealed,
      toClient: options.reply,
      toDestination: options.rest,
      fromClient: Buffer.concat([sealed?.kept ?? NOTHING, read.client]),
      fromDestination: read.destination,
    });
    if (relay !== null) return new NativePump(relay, options);
    if (read.client.length > 0) client.unshift(read.client);
    if (read.destination.length > 0) destination.unshift(read.destination);
    return null;
  }

  private constructor(relay: NativeRelay, options: CarrierOptions) {
    this.#relay = relay;
    // The addon has descriptors of its own: this closes Node's, and nothing is sent.
    options.client.destroy();
    options.destination.destroy();
    const idleFor = () => Number(process.hrtime.bigint() / 1_000_000n) - relay.carried.active;
    const deadlines = new Deadlines(options, idleFor, (error) => this.abort(error));
    const { protection } = options;
    this.done = relay.done.then((outcome) => {
      deadlines.stop();
      if (protection instanceof ContextProtection) {
        protection.counters.opened += relay.carried.sealedUp;
        protection.counters.sealed += relay.carried.sealedDown;
      }
      return outcome.end === "aborted" ? this.#reason : errorOf(outcome);
    });
  }

  get carried(): Carried {
    return this.#relay.carried;
  }

  abort(reason: GssocksError): void {
    this.#reason ??= reason;
    this.#relay.abort();
  }
}

/** -1 where it is not for the addon: TLS, closed already, or something is still to be written. */
function descriptorOf(socket: Socket): number {
  if (socket instanceof TLSSocket || socket.destroyed || socket.writableLength > 0) return -1;
  return (socket as Socket & { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

/** Stops Node's reading. An end that it has read already will be read again: TCP tells it as often as it is asked. */
function readSoFar(socket: Socket): Buffer {
  socket.pause();
  return (socket.read() as Buffer | null) ?? NOTHING;
}

function errorOf({ end, side, detail, text }: RelayOutcome): GssocksError | null {
  switch (end) {
    case "ended":
      return null;
    case "broken":
      return brokenBy(side, getSystemErrorName(-detail));
    case "truncated":
      return truncated();
    case "bad-frame":
      return thrownBy(() => frameLength(octetsOf(detail), 0, detail >= ONE_OCTET ? 1 : 2));
    case "bad-token":
      return thrownBy(() => checkStatus(detail));
    case "not-confidential":
      return notConfidential();
    default:
      return new NetworkError("RELAY_FAILED", `the relay failed: ${text}`);
  }
}

/** Tells one octet from two (native/relay_session.h). */
const ONE_OCTET = 0x10000;

function octetsOf(detail: number): Buffer {
  return detail >= ONE_OCTET ? Buffer.from([detail]) : Buffer.from([detail >> 8, detail]);
}

function checkStatus(major: number): void {
  const supplementary = supplementaryInfo(major);
  if (major !== supplementary) throw badToken(openFailure(major));
  checkOrder(supplementary);
}

function thrownBy(check: () => void): GssocksError {
  try {
    check();
  } catch (error) {
    return error as GssocksError;
  }
  return new NetworkError("RELAY_FAILED", "the relay ended without a reason");
}
