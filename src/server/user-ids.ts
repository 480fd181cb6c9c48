import { NetworkError } from "../errors.js";
import { native } from "../gss/native.js";

/**
 * Users of this system by their numbers.
 * @param users names, numbers, or `self` for the one that this process runs as
 * @throws NetworkError (UNKNOWN_USER)
 */
export async function userIds(users: readonly (string | number)[]): Promise<ReadonlySet<number>> {
  return new Set(await Promise.all(users.map(userId)));
}

async function userId(user: string | number): Promise<number> {
  if (typeof user === "number") return user;
  const uid = user === "self" ? (process.geteuid?.() ?? null) : await lookUp(user);
  if (uid === null) throw unknown(user, "there is no such user (owners)");
  return uid;
}

function lookUp(user: string): Promise<number | null> {
  return native.userId(user).catch(({ message }: Error) => {
    throw unknown(user, message);
  });
}

function unknown(user: string, why: string): NetworkError {
  return new NetworkError("UNKNOWN_USER", `the user ${JSON.stringify(user)} is not known: ${why}`);
}
