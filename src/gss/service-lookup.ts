import { native } from "./native.js";
import type { NativeServices } from "./native-system.js";

export type Services = Readonly<NativeServices>;

/**
 * The SRV records (RFC 2782) of a name, by the system's resolver, and how long they hold. Rejects with an Error whose
 * `code` is HOST_NOT_FOUND or NO_DATA where there are none, TRY_AGAIN and so on where that can't be told.
 *
 * A thread of the addon is taken until it answers, none of libuv's pool.
 */
export function lookUpServices(name: string): Promise<Services> {
  return native.lookUpServices(name);
}
