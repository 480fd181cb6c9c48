import { KerberosPassword, type KerberosPasswordOptions } from "./kerberos-password.js";
import { LdapBind, type LdapBindOptions } from "./ldap-bind.js";
import type { PasswordBackend } from "./password-backend.js";
import { UsersFile } from "./users-file.js";

/** One backend, by its key in the configuration. */
export type PasswordBackendOptions =
  | { readonly file: string }
  | { readonly kerberos: KerberosPasswordOptions }
  | { readonly ldap: LdapBindOptions };

/**
 * @param warn told what the administrator should mend while the server goes on
 * @throws ConfigError, GssError or UsageError where the backend can't be used as it is configured
 */
export function openPasswordBackend(
  options: PasswordBackendOptions,
  warn: (message: string) => void,
): Promise<PasswordBackend> {
  if ("file" in options) return UsersFile.open(options.file, { warn });
  if ("kerberos" in options) return KerberosPassword.create(options.kerberos);
  return LdapBind.create(options.ldap);
}
