/** What rules are asked about: who asks, what for, and when. */
import type { AgreedLevel } from "../protocol/protection-level.js";
import type { AuthMethodName } from "./auth-methods.js";
import type { IpAddress } from "./ip-network.js";
import type { Principal } from "./principal.js";
import type { Protection } from "./protected-destinations.js";

/** RFC 1928 §4. */
export const COMMANDS = ["connect", "bind", "udp-associate"] as const;

export type CommandName = (typeof COMMANDS)[number];

/** Weakest first. */
export const LEVELS: readonly AgreedLevel[] = ["none", "integrity", "confidentiality"];

export function isAtLeast(level: AgreedLevel, least: AgreedLevel): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}

/** Who asks, from where and with what: the same for all that a session asks for. */
export interface Client {
  /** How it was authenticated. */
  readonly method: AuthMethodName;
  /** GSS-API's, as `krb5`; null with other methods. */
  readonly mechanism: string | null;
  /** A Kerberos principal, by ticket or by password; null where it is no Kerberos name. */
  readonly principal: Principal | null;
  /** Of everybody else who has a name: by password, Ident, SOCKS4's word or another mechanism. */
  readonly user: string | null;
  readonly localName: LocalName;
  readonly groups: Groups;
  /** Of its TLS certificate, where an authority of ours stands behind that: RDNs, most specific first. */
  readonly tlsSubject: readonly string[] | null;
  /** Null where it is not known. */
  readonly address: IpAddress | null;
  /** As the configuration writes it: `127.0.0.1:1080`. */
  readonly listener: string;
  /** RFC 1961's; `none` without GSS-API. */
  readonly level: AgreedLevel;
  readonly tls: boolean;
}

export interface LocalName {
  /** Null: none is known. */
  readonly name: string | null;
  /** Why it could not be asked for; null: what `name` says is so. */
  readonly failure: string | null;
}

export interface Groups {
  /** Those of the rules' groups that the client is known to be in. */
  readonly names: ReadonlySet<string>;
  /** Why it may be in others of them; null: it is in no other. */
  readonly failure: string | null;
}

export const NO_LOCAL_NAME: LocalName = { name: null, failure: null };
export const NO_GROUPS: Groups = { names: new Set(), failure: null };

export interface PolicyRequest {
  readonly client: Client;
  readonly command: CommandName;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly time: number;
  /** The name the client sent; null when it sent an address. */
  readonly name: string | null;
  /** The address that would be dialled; null before the name is resolved. */
  readonly address: string | null;
  readonly port: number;
}

/** The request with its destination parsed. */
export interface Facts extends PolicyRequest {
  readonly destination: Destination;
}

export interface Destination {
  /** Normalised. */
  readonly name: string | null;
  readonly ip: IpAddress | null;
  /** The IPv4 address inside an IPv6 one that a translator maps. */
  readonly embedded: IpAddress | null;
  readonly port: number;
  readonly protection: Protection | null;
  /** No network matches while there is a name alone. */
  readonly literal: boolean;
}
