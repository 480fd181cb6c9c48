/**
 * Carries octets on a thread of the addon: the sockets leave Node's event loop once the handshake is over. For TCP
 * sockets, in clear or under a fast context; everything else is for {@link Pump}.
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
  #reason: GssocksError | null = null;
  #running = true;

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
      upRates: options.upRates,
      downRates: options.downRates,
    });
    if (relay !== null) {
      if (protection instanceof ContextProtection) protection.counters.opened += read.client.length;
      return new NativePump(relay, options);
    }
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
      this.#running = false;
      if (protection instanceof ContextProtection) {
        protection.counters.opened += relay.carried.sealedUp;
        protection.counters.sealed += relay.carried.sealedDown;
      }
      return outcome.end === "aborted" ? this.#reason : errorOf(outcome);
    });
  }

  get carried(): Carried {
    const { up, down, sealedUp, sealedDown } = this.#relay.carried;
    return this.#running ? { up, down, sealedUp, sealedDown } : { up, down };
  }

  abort(reason: GssocksError): void {
    this.#reason ??= reason;
    this.#relay.abort();
  }
}

function errorOf(outcome: RelayOutcome): GssocksError | null {
  if (outcome.end === "ended") return null;
  if (outcome.end === "broken") return brokenBy(outcome.side, getSystemErrorName(-outcome.detail));
  return outcomeError(outcome);
}
