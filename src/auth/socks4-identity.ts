/** Who a SOCKS4 client is: its USERID, and what its host's identd says to that (RFC 1413). */
import { PolicyError } from "../errors.js";
import { type Identity, plainIdentity } from "./identity.js";

export interface Socks4Policy {
  /** `ident`: the client's identd must name the same user. `asserted`: USERID is taken as it is. `none`: not looked at. */
  identity: "ident" | "asserted" | "none";
  /** USERIDs that may pass; every one where null. */
  users: readonly string[] | null;
}

/**
 * @param user USERID
 * @param ask the client's identd
 * @throws PolicyError (USER_NOT_ALLOWED, IDENT_MISMATCH), and what `ask` throws
 */
export async function socks4Identity(
  user: string,
  { identity, users }: Socks4Policy,
  ask: () => Promise<{ user: string }>,
): Promise<Identity> {
  if (identity === "none") return plainIdentity("none", null);
  if (user === "") return plainIdentity("empty", null);
  if (users !== null && !users.includes(user)) {
    throw new PolicyError("USER_NOT_ALLOWED", `the user ${JSON.stringify(user)} is not in socks4.users`);
  }
  if (identity === "asserted") return plainIdentity("asserted", user);
  const answer = await ask();
  if (answer.user !== user) {
    throw new PolicyError(
      "IDENT_MISMATCH",
      `the client says it is ${JSON.stringify(user)}, its identd ${JSON.stringify(answer.user)}`,
    );
  }
  return plainIdentity("ident", user);
}
