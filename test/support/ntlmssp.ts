/** The mechanism NTLMSSP, a plugin of the GSS-API library (Debian's gss-ntlmssp), for this process and its children. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { Credential } from "../../src/gss/credential.js";
import { GSS_MECH_NTLMSSP, GSS_MECH_SPNEGO } from "../../src/gss/oids.js";
import type { Realm } from "./realm.js";

/** The domain of its users. */
export const DOMAIN = "DOM";

/** To be called before anything else of the GSS-API: the library reads its list of plugins once. */
export function usePlugin(): void {
  // Debian's own line, and nothing else: what other plugins a machine has is of no matter.
  process.env.GSS_MECH_CONFIG ??= "/etc/gss/mech.d/mech.ntlmssp.conf";
}

/** Lets acceptors know some users, and initiators use their passwords. */
export async function ntlmUsers(realm: Realm, passwords: Readonly<Record<string, string>>): Promise<void> {
  const file = path.join(realm.dir, "ntlm-users");
  const lines = Object.entries(passwords).map(([user, password]) => `${DOMAIN}:${user}:${password}\n`);
  await writeFile(file, lines.join(""), { mode: 0o600 });
  process.env.NTLM_USER_FILE = file;
}

/** An initiator's, which SPNEGO may negotiate, and with which it negotiates nothing else. */
export async function ntlmCredential(user: string, password?: string): Promise<Credential> {
  const credential = await Credential.initiator({
    principal: `${DOMAIN}\\${user}`,
    password,
    mechanisms: [GSS_MECH_NTLMSSP, GSS_MECH_SPNEGO],
  });
  credential.setNegotiable([GSS_MECH_NTLMSSP]);
  return credential;
}
