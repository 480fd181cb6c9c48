import type { Rate } from "../gss/rate.js";

/** What bounds the octets of each direction. */
export interface Rates {
  readonly up: readonly Rate[];
  readonly down: readonly Rate[];
}

export const NO_RATES: Rates = { up: [], down: [] };
