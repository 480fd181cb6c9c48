/** The options of `gssocks forward` that a configuration file could hold as well. */
import { type Command, Option } from "commander";
import type { HostPort } from "../client/proxy-options.js";
import { FORWARDER_ADDRESS } from "../config/forwarder.js";
import { formatEndpoint, parseHost } from "../protocol/address.js";
import { parseHostPort } from "./host-port.js";
import { parseNoProxyList } from "./no-proxy-list.js";
import { addProxyFlags, checkProxyFlags, type ProxyFlags, parseFile, wantsTls } from "./proxy-flags.js";

export interface ForwarderFlags extends ProxyFlags {
  listen?: string[];
  users?: string;
  proxy?: HostPort[];
  srv?: string;
  trusted?: string[];
  order?: string;
  direct?: readonly string[];
  refuse?: readonly string[];
}

export function addForwarderFlags(command: Command): Command {
  command
    .option(
      "--listen <address>",
      `where programs connect to, IP:PORT or unix:/path, several times for more (default: ${FORWARDER_ADDRESS})`,
      collect<string>((text) => text),
    )
    .option(
      "--users <file>",
      "let in whoever has a name and a password in this file (gssocks passwd), in place of your programs alone",
      parseFile,
    )
    .option(
      "-p, --proxy <host:port>",
      "the proxy, several times for those that stand in for it",
      collect(parseHostPort),
    )
    .option("--srv <domain>", "a domain whose DNS names proxies: _gssocks._tcp, else _socks._tcp")
    .option(
      "--trusted <list>",
      "hosts that --srv may name, with commas, *.domain for all below it (default: its domain)",
      (text: string) => text.split(","),
    )
    .addOption(
      new Option("--order <order>", "the first proxy that is up, or each in its turn").choices([
        "first",
        "round-robin",
      ]),
    )
    .option(
      "--direct <list>",
      "what goes without a proxy, as in no_proxy: names, .suffixes, networks, <local>, *",
      parseNoProxyList,
    )
    .option("--refuse <list>", "what is refused, in the same form", parseNoProxyList);
  return addProxyFlags(command, "one");
}

/** Ends the program where options do not go together. */
export function checkForwarderFlags(flags: ForwarderFlags, command: Command): void {
  const { proxy = [], srv, method, targetName } = flags;
  if (proxy.length === 0 && srv === undefined) command.error("error: expected --proxy, --srv or --config");
  if (method.length > 1) command.error("error: of --method, forward takes one");
  if (targetName !== undefined && proxy.length === 0)
    command.error("error: --target-name is for --proxy: those of --srv go by their hosts' names");
  checkProxyFlags(flags, [...proxy.map(({ host }) => host), ...(srv === undefined ? [] : [srv])], command);
}

/** What a configuration file would say. */
export function forwarderConfigOf(flags: ForwarderFlags): unknown {
  const { listen = [FORWARDER_ADDRESS], users, direct, refuse } = flags;
  // Whoever knows a password may be anybody.
  const entrance = users === undefined ? {} : { methods: ["password"], owners: null };
  return {
    listeners: listen.map((address) => ({ address, ...entrance })),
    ...(users === undefined ? {} : { passwords: { file: users } }),
    direct,
    refuse,
    upstreams: { proxy: upstream(flags) },
  };
}

function upstream(flags: ForwarderFlags): unknown {
  const { proxy, srv, trusted, order, protocol, user, passwordFile, sendClearTextPassword } = flags;
  const { method, level, service, targetName, ccache, clientKeytab, principal, nec } = flags;
  const [only] = method;
  return {
    proxies: proxy?.map(({ host, port }) => {
      const address = formatEndpoint({ host: parseHost(host), port });
      return targetName === undefined ? address : { address, targetName };
    }),
    srv,
    trusted,
    order,
    protocol,
    method: only,
    ...(only === "password" ? { user: { name: user, file: passwordFile } } : {}),
    sendClearTextPassword,
    gssapi: { protectionLevels: level, service, ccache, clientKeytab, principal, nec },
    ...(wantsTls(flags) ? { tls: tls(flags) } : {}),
  };
}

function tls({ tlsCa: authorities, tlsPin: pin, tlsName: name, tlsBindings: channelBindings }: ProxyFlags) {
  return { authorities, pin, name, channelBindings };
}

function collect<T>(parse: (text: string) => T): (text: string, before?: T[]) => T[] {
  return (text, before = []) => [...before, parse(text)];
}
