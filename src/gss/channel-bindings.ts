import type { NativeChannelBindings } from "./native.js";

/** GSS_C_AF_UNSPEC and no addresses, as TLS channel bindings are used (RFC 5554 §4). */
export function bindingsOf(applicationData: Uint8Array | undefined): NativeChannelBindings | null {
  if (applicationData === undefined) return null;
  const none = new Uint8Array(0);
  return {
    initiatorAddrtype: 0,
    initiatorAddress: none,
    acceptorAddrtype: 0,
    acceptorAddress: none,
    applicationData,
  };
}
