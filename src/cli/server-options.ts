/** The configuration as the server takes it. */
import { openGroupSources } from "../auth/group-sources.js";
import { openPasswordBackend } from "../auth/password-backends.js";
import { DEFAULTS } from "../config/defaults.js";
import type { Config } from "../config/schema.js";
import { actsForClients } from "../config/upstreams.js";
import { isKerberos } from "../gss/oids.js";
import type { Observer } from "../observability/events.js";
import type { ServerOptions } from "../server/server.js";
import { upstreamsOf } from "./upstreams.js";

export function serverOptions(config: Config, observer: Observer): ServerOptions {
  const { handshake, connect, bind, idle, total } = config.timeouts;
  const { keytab, targetNames, mechanisms, fastPath } = config.gssapi;
  return {
    ...config,
    upstreams: upstreamsOf(config, observer),
    passwords: passwordsOf(config, observer),
    groups: groupsOf(config),
    gssapi: {
      mechanisms,
      keytab: keytabFor(mechanisms, keytab),
      targetNames: targetNames ?? undefined,
      impersonation:
        keytab !== null && actsForClients(config.upstreams)
          ? { keytab, warn: (reason) => observer({ type: "warning", reason }) }
          : undefined,
    },
    fastPath,
    timeouts: {
      handshake,
      connect,
      bind,
      idle: idle ?? Number.POSITIVE_INFINITY,
      total: total ?? Number.POSITIVE_INFINITY,
    },
  };
}

function groupsOf({ groups }: Config): ServerOptions["groups"] {
  if (groups === null) return null;
  return { open: () => openGroupSources(groups), maxAge: groups.maxAge };
}

export function passwordsOf({ passwords }: Config, observer: Observer): ServerOptions["passwords"] {
  if (passwords === null) return null;
  const warn = (reason: string) => observer({ type: "warning", reason });
  const options =
    "ldap" in passwords ? { ldap: { ...passwords.ldap, timeout: DEFAULTS.directory } } : passwords;
  return () => openPasswordBackend(options, warn);
}

/** Other mechanisms, as gss-ntlmssp, take no part in a credential that names a keytab: the environment does it then. */
export function keytabFor(mechanisms: readonly string[], keytab: string | null): string | undefined {
  if (keytab === null || mechanisms.every(isKerberos)) return keytab ?? undefined;
  process.env.KRB5_KTNAME = keytab;
  return undefined;
}
