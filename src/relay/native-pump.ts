/**
 * Carries octets on a thread of the addon: the sockets leave Node's event loop once the handshake is over. For TCP and Unix
 * sockets, in clear or with one of the two under a fast context; everything else is for {@link Pump}.
 */
import { getSystemErrorName } from "node:util";
import type { GssocksError } from "../errors.js";
import { NativeRelay, type RelayOutcome } from "../gss/native-relay.js";
import type { Carried, Carrier, CarrierOptions } from "./carrier.js";
import { brokenBy } from "./cut-off.js";
import { Deadlines } from "./deadlines.js";
import { CLEAR, ContextProtection } from "./message-protection.js";
import { outcomeError } from "./relay-outcome.js";
import { descriptorOf, readSoFar } from "./socket-descriptor.js";

const NOTHING = Buffer.alloc(0);

export class NativePump implements Carrier {
  readonly done: Promise<GssocksError | null>;
  readonly #relay: NativeRelay;
  /** The destination is what the addon calls the client: the side that may be sealed. */
  readonly #swapped: boolean;
  /** What the addon took for octets of the destination's, and is the reply. */
  readonly #uncounted: number;
  #reason: GssocksError | null = null;
  #running = true;

  /** @returns null, and nothing was done, where these sockets or their protection are not for the addon */
  static start(options: CarrierOptions): NativePump | null {
    const { client, destination, protection, destinationProtection = CLEAR, early = NOTHING } = options;
    const swapped = destinationProtection !== CLEAR;
    if (swapped && protection !== CLEAR) return null;
    const sealing = swapped ? destinationProtection : protection;
    const sides = [client, destination].map(descriptorOf);
    const [clientFd = -1, destinationFd = -1] = sides;
    const sealed = sealing instanceof ContextProtection ? sealing.lendable() : null;
    if (sides.includes(-1) || (sealed === null && sealing !== CLEAR)) return null;
    const read = { client: readSoFar(client), destination: readSoFar(destination) };
    const kept = sealed?.kept ?? NOTHING;
    const relay = NativeRelay.start(
      swapped
        ? {
            client: destinationFd,
            destination: clientFd,
            protection: sealed,
            toClient: NOTHING,
            toDestination: Buffer.concat([options.reply, early]),
            fromClient: Buffer.concat([kept, read.destination]),
            fromDestination: Buffer.concat([options.rest, read.client]),
            upRates: options.downRates,
            downRates: options.upRates,
          }
        : {
            client: clientFd,
            destination: destinationFd,
            protection: sealed,
            toClient: options.reply,
            toDestination: options.rest,
            fromClient: Buffer.concat([kept, read.client]),
            fromDestination: Buffer.concat([early, read.destination]),
            upRates: options.upRates,
            downRates: options.downRates,
          },
    );
    if (relay !== null) {
      if (protection instanceof ContextProtection) protection.counters.opened += read.client.length;
      return new NativePump(relay, options, swapped);
    }
    if (read.client.length > 0) client.unshift(read.client);
    if (read.destination.length > 0) destination.unshift(read.destination);
    return null;
  }

  private constructor(relay: NativeRelay, options: CarrierOptions, swapped: boolean) {
    this.#relay = relay;
    this.#swapped = swapped;
    this.#uncounted = swapped ? options.reply.length : 0;
    // The addon has descriptors of its own: this closes Node's, and nothing is sent.
    options.client.destroy();
    options.destination.destroy();
    const idleFor = () => Number(process.hrtime.bigint() / 1_000_000n) - relay.carried.active;
    const deadlines = new Deadlines(options, idleFor, (error) => this.abort(error));
    const { protection } = options;
    this.done = relay.done.then((outcome) => {
      deadlines.stop();
      this.#running = false;
      if (protection instanceof ContextProtection) {
        protection.counters.opened += relay.carried.sealedUp;
        protection.counters.sealed += relay.carried.sealedDown;
      }
      if (outcome.end === "aborted") return this.#reason;
      return errorOf(swapped ? { ...outcome, side: otherSide(outcome.side) } : outcome);
    });
  }

  get carried(): Carried {
    const { up, down, sealedUp, sealedDown } = this.#relay.carried;
    if (this.#swapped) return { up: down, down: Math.max(0, up - this.#uncounted) };
    return this.#running ? { up, down, sealedUp, sealedDown } : { up, down };
  }

  abort(reason: GssocksError): void {
    this.#reason ??= reason;
    this.#relay.abort();
  }
}

function otherSide(side: RelayOutcome["side"]): RelayOutcome["side"] {
  return side === "client" ? "destination" : "client";
}

function errorOf(outcome: RelayOutcome): GssocksError | null {
  if (outcome.end === "ended") return null;
  if (outcome.end === "broken") return brokenBy(outcome.side, getSystemErrorName(-outcome.detail));
  return outcomeError(outcome);
}
