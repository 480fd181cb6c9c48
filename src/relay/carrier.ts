/** What carries the octets of a session whose handshake is over, until both directions have ended. */
import type { Socket } from "node:net";
import type { GssocksError } from "../errors.js";
import type { Rate } from "../gss/rate.js";
import type { MessageProtection } from "./message-protection.js";
import { NativePump } from "./native-pump.js";
import { Pump } from "./pump.js";

export interface CarrierOptions {
  client: Socket;
  destination: Socket;
  /** Between us and the client. */
  protection: MessageProtection;
  /** Between us and the destination, which is an upstream then. */
  destinationProtection?: MessageProtection | undefined;
  /** To be written to the client first, as it is. */
  reply: Buffer;
  /** Plain octets from the client that are already here; they go first. */
  rest: Buffer;
  /** The same from the destination. */
  early?: Buffer | undefined;
  /** Milliseconds without an octet in either direction; Infinity for no limit. */
  idleTimeout: number;
  /** Milliseconds in all; Infinity for no limit. */
  totalTimeout: number;
  /** Each bounds what comes from the client, or from the destination. */
  upRates?: readonly Rate[];
  downRates?: readonly Rate[];
}

/** Plain octets carried; counts up while the carrier runs. */
export interface Carried {
  /** Client to destination. */
  readonly up: number;
  /** Destination to client. */
  readonly down: number;
  /** Octets of frames from and to the client, as long as the protection does not count them. */
  readonly sealedUp?: number;
  readonly sealedDown?: number;
}

export interface Carrier {
  readonly carried: Carried;
  /** Resolves when all has ended: null where both sides ended in good order, else why not. Never rejects. */
  readonly done: Promise<GssocksError | null>;
  /** Ends both sides at once, with `reason`. */
  abort(reason: GssocksError): void;
}

/** Both sockets are the carrier's from here on. On a thread of the addon where that can be, for it costs a fraction. */
export function carry(options: CarrierOptions): Carrier {
  return NativePump.start(options) ?? new Pump(options);
}
