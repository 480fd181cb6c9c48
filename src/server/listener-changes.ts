import { type ListenerAddress, listenerAddressText } from "../protocol/listener-address.js";

export interface ListenerChanges<Open> {
  /** For each that is wanted the one that has its address already; null: it is to be opened. */
  readonly kept: readonly (Open | null)[];
  readonly removed: readonly Open[];
}

/** Those with the same address stay; where there are several, as with port 0, in their order. */
export function listenerChanges<Open extends { readonly at: ListenerAddress }>(
  open: readonly Open[],
  wanted: readonly ListenerAddress[],
): ListenerChanges<Open> {
  const left = [...open];
  const kept = wanted.map((address) => {
    const text = listenerAddressText(address);
    const index = left.findIndex(({ at }) => listenerAddressText(at) === text);
    return index < 0 ? null : (left.splice(index, 1)[0] ?? null);
  });
  return { kept, removed: left };
}
