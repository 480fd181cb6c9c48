import { NetworkError } from "../errors.js";
import { callQueue } from "./call-queue.js";
import { native } from "./native.js";

/**
 * Those of `groups` that a user of the system is in, as NSS has it: /etc/group, SSSD, a directory. Nobody's user is in none.
 * @throws NetworkError (GROUPS_UNKNOWN) where a source does not answer: then nothing is known
 */
export async function systemGroups(user: string, groups: readonly string[]): Promise<string[]> {
  // Nothing that could be a name of the system's.
  if (user === "" || /[\p{Cc}:/]/u.test(user)) return [];
  try {
    return await callQueue.run("network", () => native.groupMembership(user, groups));
  } catch (error) {
    throw new NetworkError(
      "GROUPS_UNKNOWN",
      `the system does not tell its groups: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}
