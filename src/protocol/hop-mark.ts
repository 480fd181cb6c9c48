/**
 * How many gssocks servers a session has come through. SOCKS5 tells it in the method selection: a server that chains
 * offers, beside the METHODs it can do, 0xE0 + hops. RFC 1928 §3 leaves 0x80 to 0xFE to private use, and a server passes
 * over METHODs that it does not know; it is never to select this one. HTTP has Via for it (RFC 9110 §7.6.3).
 */
import { PolicyError, UsageError } from "../errors.js";
import { via } from "./http-fields.js";

const FIRST = 0xe0;
/** 0xFF is no METHOD to offer. */
const LAST = 0xfe;

/** Servers that a session may come through; one more is taken for a loop. */
export const MAX_HOPS = 8;

/**
 * The METHOD that tells `hops`, the sender included.
 * @throws PolicyError (LOOP) above {@link MAX_HOPS}
 */
export function hopMark(hops: number): number {
  if (!Number.isInteger(hops) || hops < 1)
    throw new UsageError("BAD_ARGUMENT", `hops: ${hops}; expected 1 to ${MAX_HOPS}`);
  checkHops(hops);
  return FIRST + hops;
}

/** The field Via of a request that has come through `hops` of us. */
export function viaOf(hops: number): string {
  const [, mark] = via("1.1");
  return Array.from({ length: hops }, () => mark).join(", ");
}

/** The most that any of the METHODs tells; 0 where none is a mark. */
export function hopsOf(methods: readonly number[]): number {
  return methods.reduce(
    (most, method) => (method >= FIRST && method <= LAST ? Math.max(most, method - FIRST) : most),
    0,
  );
}

/** @throws PolicyError (LOOP) above {@link MAX_HOPS} */
export function checkHops(hops: number): void {
  if (hops <= MAX_HOPS) return;
  throw new PolicyError("LOOP", `the session has come through ${hops} proxies: they send it round in a loop`);
}
