/** The `listeners` part of the configuration file. */
import * as z from "zod";
import { IpNetwork } from "../policy/ip-network.js";
import { isThisHost, parseHost } from "../protocol/address.js";
import { type ListenerAddress, listenerAddressText } from "../protocol/listener-address.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import { distinct, file, noProxy, protectionLevels, text } from "./fields.js";
import { describe } from "./problems.js";
import { parseListenerAddress, parsePacProxy, parseUserName } from "./values.js";

const methods = distinct(
  z.enum(["certificate", "gssapi", "password", "none"]),
  "name at least one method",
).describe(
  "How clients of SOCKS5 may show who they are, in the server's order: of those that a client offers, the first is taken",
);

const networks = z
  .array(text("an address or a network, as 10.0.0.0/8", (value) => IpNetwork.parse(value)))
  .min(1, { error: "the list is empty; name at least one network" })
  .describe("The clients' addresses and networks");

const socks4 = z
  .strictObject({
    identity: z
      .enum(["ident", "asserted", "none"])
      .describe(
        "ident: the client's identd must name the user that the request names; asserted: the request is taken at its word; none: the name is not looked at",
      ),
    users: distinct(z.string().min(1), "leave users out to let every user in")
      .describe("The names that may come in, with ident and asserted; without it, all")
      .optional(),
  })
  .refine(({ identity, users }) => identity !== "none" || users === undefined, {
    path: ["users"],
    error: "where identity is none no name is looked at, so a list of them would keep nobody out",
  });

const tls = z.strictObject({
  certificate: file.describe("Our certificate, with those between it and the authority behind it, in PEM"),
  key: file.describe("Its private key, in PEM"),
  clientAuthorities: file
    .describe(
      "The authorities whose client certificates are taken, in PEM; without it no certificate is asked for",
    )
    .optional(),
  clientCertificate: z
    .enum(["required", "optional"])
    .describe("Whether the handshake fails without a certificate of the client's")
    .default("optional"),
  clientIdentity: z
    .enum(["subject", "email", "dns", "uri"])
    .describe(
      "What of a client's certificate names the user: its subject, or the first alternative name of a kind",
    )
    .default("subject"),
  minVersion: z
    .enum(["TLSv1.2", "TLSv1.3"])
    .describe("The oldest version of TLS that is spoken")
    .default("TLSv1.2"),
  ciphers: z.string().min(1).describe("OpenSSL's list of ciphers; without it, Node's").optional(),
  channelBindings: z
    .strictObject({
      type: z
        .enum(["tls-server-end-point", "tls-exporter"])
        .describe("The certificate (RFC 5929), or the session (RFC 9266; TLS 1.3 alone)")
        .default("tls-server-end-point"),
      required: z
        .boolean()
        .default(false)
        .describe("Refuse clients of GSS-API that do not bind; bindings that differ are always refused"),
    })
    .describe("What GSS-API is bound to of TLS")
    .prefault({}),
});

const pac = z
  .strictObject({
    direct: noProxy
      .describe(
        "What browsers are to reach without us, as no_proxy has it: example.test, .example.test, 10.0.0.0/8, <local>, *",
      )
      .prefault([]),
    proxies: distinct(
      text("PROXY, HTTPS, SOCKS5 or SOCKS, and a host and port", parsePacProxy),
      "leave it out for the address that browsers have asked",
    )
      .describe(
        "What they are to try for all else, in this order, as PROXY proxy.example.test:3128; without it, the address at which they asked",
      )
      .optional(),
  })
  .transform(({ direct, proxies = null }) => ({ direct, proxies }));

/** Users of this system. */
const owners = distinct(
  z.union([z.int().min(0).max(0xffff_fffe), text("a user's name, or self", parseUserName)], {
    error: ({ input }) => describe("a user's name or number, or self", input),
  }),
  "leave owners out to let every user in",
);

const listener = z
  .strictObject({
    address: text(
      "an IP address and a port, as 127.0.0.1:1080, or unix:/path or systemd:NAME",
      parseListenerAddress,
      { pattern: ":\\d+$|^unix:/|^systemd:" },
    ).describe(
      "Where clients connect. IPv6 stands in brackets; *:PORT takes IPv6 and IPv4, 0.0.0.0:PORT IPv4 alone; of port 0 the system picks one. unix:/path is a Unix socket of mode 0600, systemd:NAME one that systemd passes",
    ),
    gssapi: z
      .strictObject({
        protectionLevels: protectionLevels.optional(),
        nec: z
          .boolean()
          .describe(
            "Take the level as a bare octet too, as old NEC clients send it; it is then open to change on its way",
          )
          .optional(),
      })
      .describe("What here differs from the common gssapi")
      .prefault({}),
    methods: methods.prefault(["gssapi"]),
    sources: z
      .array(z.strictObject({ from: networks, methods }))
      .default([])
      .describe("Other methods for some networks; the first whose from holds the client's address counts"),
    acceptClearTextPasswords: z
      .boolean()
      .default(false)
      .describe("The method password needs neither TLS nor loopback here"),
    socks4: socks4
      .describe("Take SOCKS4 and 4a on the same port; neither methods nor sources bind them")
      .optional(),
    http: z.boolean().default(false).describe("Take HTTP proxy requests on the same port"),
    pac: pac
      .describe("Have a proxy auto-configuration for browsers at /proxy.pac, for whoever asks")
      .optional(),
    tls: tls
      .describe("Speak TLS here, and TLS alone. The files are read again when they have changed")
      .optional(),
    owners: owners
      .nullable()
      .default(null)
      .describe(
        "The users of this host whose processes may connect; for Unix sockets and loopback, on Linux",
      ),
  })
  .superRefine((listener, context) => {
    const { address, methods, sources, acceptClearTextPasswords, socks4, http, pac, tls, owners } = listener;
    const all = new Set([...methods, ...sources.flatMap((source) => source.methods)]);
    const problem = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (all.has("certificate") && tls?.clientAuthorities === undefined)
      problem(["methods"], "the method certificate needs tls.clientAuthorities");
    if (tls?.clientCertificate === "required" && tls.clientAuthorities === undefined)
      problem(["tls", "clientCertificate"], "a required certificate needs clientAuthorities");
    if (all.has("password") && tls === undefined && !isOfThisHost(address) && !acceptClearTextPasswords) {
      problem(
        ["methods"],
        "passwords would cross the network in clear: add tls, listen on loopback, or say acceptClearTextPasswords: true",
      );
    }
    if (owners !== null && process.platform !== "linux")
      problem(["owners"], "only Linux tells who has the other end of a connection");
    if (owners !== null && !isOfThisHost(address) && !("systemd" in address))
      problem(
        ["owners"],
        "only of this host's clients can it be told: listen on loopback or on a Unix socket",
      );
    if (pac !== undefined && !http) problem(["pac"], "browsers ask for it by HTTP: add http: true");
    if (!("unix" in address)) return;
    if (pac?.proxies === null)
      problem(["pac"], "a Unix socket is no address for browsers: say which proxies they are to try");
    if (tls !== undefined) problem(["tls"], "nothing is to be protected on a Unix socket");
    if (socks4?.identity === "ident")
      problem(["socks4", "identity"], "of a Unix socket no Ident server can tell; give owners instead");
    if (sources.length > 0) problem(["sources"], "clients of a Unix socket have no address");
  });

/** Nobody else's network lies between us and the clients. */
function isOfThisHost(address: ListenerAddress): boolean {
  return "unix" in address || ("host" in address && isThisHost(parseHost(address.host)));
}

/** Two sockets cannot share an address; `*` and `[::]` are the same one. A name of systemd's may stand for several. */
export const listeners = z
  .array(listener)
  .min(1, { error: "the list is empty; name at least one address to listen on" })
  .describe("Where clients come in")
  .superRefine((list, context) => {
    const names = list.map(({ address }) =>
      "systemd" in address || ("port" in address && address.port === 0) ? null : listenerAddressText(address),
    );
    for (const [index, name] of names.entries()) {
      if (name === null || names.indexOf(name) === index) continue;
      context.addIssue({
        code: "custom",
        path: [index, "address"],
        message: "an earlier listener has this address",
      });
    }
  });

/** Listeners that take HTTP, and of which no client of it could be let in. @param common levels, where one has none of its own */
export function httpProblems(
  list: z.output<typeof listeners>,
  common: readonly AgreedLevel[],
): { path: (string | number)[]; message: string }[] {
  return list.flatMap(({ http, methods, sources, gssapi }, index) => {
    const all = [methods, ...sources.map((source) => source.methods)].flat();
    const levels = gssapi.protectionLevels ?? common;
    if (!http || levels.includes("none") || all.some((method) => method !== "gssapi")) return [];
    const message =
      "no client could be let in: HTTP has the method gssapi (Negotiate) only where gssapi.protectionLevels contain none";
    return [{ path: ["listeners", index, "http"], message }];
  });
}
