import type { Socks4Policy } from "../auth/socks4-identity.js";
import type { ListenerAddress } from "../protocol/listener-address.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import type { MethodPolicy } from "./methods.js";
import type { PacOptions } from "./pac.js";
import type { TlsOptions } from "./tls-acceptor.js";

export type ListenerOptions = ListenerAddress & ListenerSettings;

export interface ListenerSettings extends MethodPolicy {
  /** The users of this system that may come: names, numbers, `self`. null: whoever is let in otherwise. */
  owners: readonly (string | number)[] | null;
  /** Best first. */
  protectionLevels: readonly AgreedLevel[];
  nec: boolean;
  /** null: SOCKS4 is not taken. */
  socks4: Socks4Policy | null;
  /** null: TCP alone. */
  tls: TlsOptions | null;
  /** Take HTTP on the same port: CONNECT, and requests with an absolute URI. */
  http: boolean;
  /** The proxy auto-configuration that it has at /proxy.pac; null: none. */
  pac: PacOptions | null;
}
