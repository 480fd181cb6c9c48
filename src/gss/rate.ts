import { native, type RateHandle } from "./native.js";

/** So many octets a second, shared evenly by all that have it. */
export class Rate {
  readonly handle: RateHandle;

  /**
   * @param octetsPerSecond 1 to 10^15
   * @param name processes that share rates (`shareRates`) have one of that name together; null: it is this one's alone
   */
  constructor(octetsPerSecond: number, name: string | null = null) {
    this.handle = native.newRate(octetsPerSecond, name);
  }

  /** After `octets` were carried: milliseconds to wait before the next. */
  charge(octets: number): number {
    return native.chargeRate(this.handle, octets);
  }
}

/** Octets of the file that processes share for their rates. */
export const SHARED_RATES_SIZE = native.sharedRatesSize;

/** @param descriptor of that file, which may be closed afterwards */
export function shareRates(descriptor: number): void {
  native.shareRates(descriptor);
}
