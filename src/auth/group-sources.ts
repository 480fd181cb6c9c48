import { systemGroups } from "../gss/system-groups.js";
import { GroupsFile } from "./groups-file.js";

/** A place that knows who is in which groups. A new one needs this much and a key in the configuration. */
export interface GroupSource {
  /**
   * Those of `groups` that a client is in; others may be among them.
   * @param principal a Kerberos principal
   * @param user a local name, or the name of a user without a principal
   * @throws GssocksError where that can't be found out
   */
  groupsOf(
    principal: string | null,
    user: string | null,
    groups: readonly string[],
  ): Promise<readonly string[]>;
}

export interface GroupSourcesOptions {
  /** In the form of group(5); null for none. */
  readonly file: string | null;
  /** The system's, as NSS has them. */
  readonly system: boolean;
}

/** @throws ConfigError where the file can't be used */
export async function openGroupSources({ file, system }: GroupSourcesOptions): Promise<GroupSource[]> {
  const sources: GroupSource[] = [];
  if (file !== null) {
    const groups = await GroupsFile.open(file);
    sources.push({
      groupsOf: (principal, user) => groups.groupsOf([principal, user].filter((each) => each !== null)),
    });
  }
  if (system) {
    sources.push({
      groupsOf: async (_, user, asked) => (user === null ? [] : systemGroups(user, asked)),
    });
  }
  return sources;
}
