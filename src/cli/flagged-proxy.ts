/** The one proxy that the command line names, as the client takes it. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { HostPort, ProxyOptions } from "../client/proxy-options.js";
import type { ProxyTlsOptions } from "../client/proxy-tls.js";
import { Credential } from "../gss/credential.js";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO } from "../gss/oids.js";
import { fileContents, firstLineOf } from "./file-contents.js";
import { parseHostPort } from "./host-port.js";
import { addProxyFlags, checkProxyFlags, type ProxyFlags, wantsTls } from "./proxy-flags.js";

export interface OneProxyFlags extends ProxyFlags {
  proxy: HostPort;
  timeout: number;
}

export function addOneProxyFlags(command: Command): Command {
  command.addOption(
    new Option("-p, --proxy <host:port>", "the proxy").argParser(parseHostPort).makeOptionMandatory(),
  );
  return addProxyFlags(command, "several").option(
    "-t, --timeout <seconds>",
    "give up when it takes longer to connect",
    parseSeconds,
    60,
  );
}

/**
 * Ends the program where options do not go together.
 * @throws GssError (no ticket), ConfigError (a file that can't be read)
 */
export async function proxyOptions(flags: OneProxyFlags, command: Command): Promise<ProxyOptions> {
  const { proxy, protocol, method: methods, level: levels, service, targetName, nec, timeout } = flags;
  checkProxyFlags(flags, [proxy.host], command);
  const { user: username, passwordFile, sendClearTextPassword } = flags;
  const credential = methods.includes("gssapi") ? await credentialOf(flags) : undefined;
  return {
    proxy,
    protocol,
    methods,
    levels,
    nec,
    sendClearTextPassword,
    timeout: timeout * 1000,
    tls: tlsOptions(flags),
    ...(username !== undefined && { username }),
    ...(passwordFile !== undefined && { password: firstLineOf(passwordFile) }),
    ...(service !== undefined && { service }),
    ...(targetName !== undefined && { targetName }),
    ...(credential !== undefined && { credential }),
  };
}

/** @returns undefined for the library's default, which is looked for with the proxy's name */
async function credentialOf(flags: OneProxyFlags): Promise<Credential | undefined> {
  const { principal, ccache, clientKeytab, protocol } = flags;
  if (principal === undefined && ccache === undefined && clientKeytab === undefined) return undefined;
  const mechanisms = protocol === "http" ? [GSS_MECH_KRB5, GSS_MECH_SPNEGO] : [GSS_MECH_KRB5];
  const credential = await Credential.initiator({ principal, ccache, clientKeytab, mechanisms });
  if (protocol === "http") credential.setNegotiable([GSS_MECH_KRB5]);
  return credential;
}

function tlsOptions(flags: OneProxyFlags): ProxyTlsOptions | undefined {
  if (!wantsTls(flags)) return undefined;
  const { tlsCa, tlsPin: pin, tlsName: servername, tlsBindings: channelBindings } = flags;
  return { ca: tlsCa === undefined ? undefined : fileContents(tlsCa), pin, servername, channelBindings };
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86400))
    throw new InvalidArgumentError("expected seconds, above 0 and up to 86400.");
  return seconds;
}
