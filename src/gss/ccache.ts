import { callQueue } from "./call-queue.js";
import { toError } from "./gss-error.js";
import { native } from "./native.js";
import type { NativeCcache } from "./native-system.js";

export type CcacheInfo = Readonly<NativeCcache>;

/**
 * What a ccache says of its ticket, by libkrb5: of the one named, else of the principal's in the collection, else of the
 * default one at this moment.
 * @throws GssError (NO_TICKET, CCACHE_UNREADABLE …)
 */
export async function inspectCcache(wanted: {
  ccache?: string | undefined;
  principal?: string | undefined;
}): Promise<CcacheInfo> {
  const { ccache, principal } = wanted;
  try {
    return await callQueue.run("local", () => native.inspectCcache(ccache ?? null, principal ?? null));
  } catch (error) {
    throw toError(error, { role: "initiator", ccache, principal });
  }
}
