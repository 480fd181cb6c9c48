/** The word of the program that runs the server, beside the rules: what they allow, it may still deny. */
import { GssocksError, PolicyError } from "../errors.js";
import type { AuthMethodName } from "../policy/auth-methods.js";
import type { CommandName } from "../policy/facts.js";
import { type Endpoint, formatEndpoint, plainAddress } from "../protocol/address.js";
import { REP } from "../protocol/constants.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import type { Asker, Authorized } from "./authorize.js";

/** What the rules have allowed. */
export interface AuthorizeRequest {
  /** How the client was authenticated. */
  method: AuthMethodName;
  /** GSS-API's, as `krb5`. */
  mechanism: string | null;
  /** As the method names the client: `alice@EXAMPLE.TEST`, `alice`; null where nobody is named. */
  principal: string | null;
  /** The client's address. */
  source: string;
  /** The listener's, as the options have it. */
  listener: string;
  /** `none` without GSS-API. */
  level: AgreedLevel;
  tls: boolean;
  command: CommandName;
  /** As the client asked for it. BIND's peer; 0.0.0.0 or :: is anybody. */
  destination: { host: string; port: number };
  /** Those of the destination that the rules allow; none where an upstream looks them up. */
  addresses: readonly string[];
}

/** @returns true allows; false denies, as does a text, the reason for the log. What it throws denies, too */
export type Authorizer = (request: AuthorizeRequest) => boolean | string | Promise<boolean | string>;

/** @throws PolicyError (AUTHORIZE_DENIED, AUTHORIZE_FAILED) */
export async function consult(
  authorizer: Authorizer,
  { principal, source }: { principal: string | null; source: string },
  dst: Endpoint,
  { client, command }: Asker,
  { addresses }: Authorized,
): Promise<void> {
  const { host, port } = dst;
  const { method, mechanism, listener, level, tls } = client;
  const request: AuthorizeRequest = {
    ...{ method, mechanism, principal, listener, level, tls, command },
    source: plainAddress(source),
    destination: { host: host.kind === "domain" ? host.name : host.address, port },
    addresses: [...addresses.keys()],
  };
  const word = await answer(authorizer, request, dst);
  if (word === true) return;
  const why = typeof word === "string" ? word : "by authorize()";
  throw new PolicyError("AUTHORIZE_DENIED", `${formatEndpoint(dst)} is denied: ${why}`, {
    rep: REP.NOT_ALLOWED,
  });
}

async function answer(authorizer: Authorizer, request: AuthorizeRequest, dst: Endpoint): Promise<unknown> {
  try {
    return await authorizer(request);
  } catch (error) {
    if (error instanceof GssocksError) throw error;
    const message = `${formatEndpoint(dst)} is denied: authorize() failed: ${(error as Error | null)?.message}`;
    throw new PolicyError("AUTHORIZE_FAILED", message, { rep: REP.NOT_ALLOWED, cause: error });
  }
}
