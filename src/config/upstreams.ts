/** The `upstreams` part of the configuration file: proxies that rules lead to, by name. */
import * as z from "zod";
import { isThisHost, parseHost } from "../protocol/address.js";
import { distinct, file, protectionLevels, text } from "./fields.js";
import { describe } from "./problems.js";
import {
  parseDomain,
  parseHostPattern,
  parseMechanism,
  parseProxyAddress,
  parseTargetName,
  parseText,
} from "./values.js";

const word = (expected: string, shape: RegExp) =>
  text(expected, (value) => parseText(value, shape, expected));

const address = text("a name or an address, and a port, as proxy.example.test:1080", parseProxyAddress);

const proxy = z.union(
  [
    address.transform((proxy) => ({ ...proxy, targetName: undefined })),
    z
      .strictObject({
        address,
        targetName: text("service@host or service/host@REALM", parseTargetName).optional(),
      })
      .transform(({ address, targetName }) => ({ ...address, targetName })),
  ],
  {
    error: ({ input }) =>
      describe(
        "a name or an address, and a port, as proxy.example.test:1080, or address and targetName",
        input,
      ),
  },
);

const gssapi = z.strictObject({
  protectionLevels: protectionLevels.default(["confidentiality"]).describe("Accepted, best first"),
  service: word("a service's name, as rcmd or socks", /^[A-Za-z0-9_-]+$/)
    .describe("Of the proxy's name, service@host; rcmd, and HTTP for an HTTP proxy, where it is left out")
    .optional(),
  credential: z
    .enum(["own", "delegated", "constrained"])
    .default("own")
    .describe(
      "own, or the one that the user has delegated to us; constrained: where there is none, one that the KDC gives us to act in the user's place (S4U2Proxy)",
    ),
  ccache: word("a credential cache, as FILE:/run/gssocks/ccache", /^[^\0]+$/).optional(),
  clientKeytab: word("a keytab, as FILE:/etc/gssocks/client.keytab", /^[^\0]+$/).optional(),
  principal: word("a principal, as proxy@EXAMPLE.TEST", /^[^\0\s]+$/).optional(),
  mechanism: text("a mechanism's name or OID", parseMechanism).optional(),
  nec: z.boolean().default(false).describe("Send the protection level bare, as NEC's implementation did"),
});

const tls = z.strictObject({
  authorities: file.optional(),
  pin: word("sha256// and 44 characters of base64", /^(sha256\/\/)?[A-Za-z0-9+/]{43}=$/).optional(),
  name: word("the name that the proxy's certificate bears", /^[A-Za-z0-9._:-]+$/).optional(),
  channelBindings: z.enum(["tls-server-end-point", "tls-exporter"]).default("tls-server-end-point"),
});

const upstream = z
  .strictObject({
    proxies: distinct(proxy, "name at least one proxy")
      .describe("host:port of each, or address and targetName")
      .optional(),
    srv: text("a domain, as example.test", parseDomain)
      .describe("A domain whose DNS names more of them: _gssocks._tcp, else _socks._tcp")
      .optional(),
    trusted: distinct(
      text("a host's name, or *.domain", parseHostPattern),
      "leave it out for srv's own domain",
    )
      .describe("Hosts that srv may name, by name or as *.domain: no other is ever sent anything")
      .optional(),
    order: z
      .enum(["first", "round-robin"])
      .default("first")
      .describe("The first that is up, or each in its turn"),
    protocol: z
      .enum(["socks5", "http"])
      .default("socks5")
      .describe("What they speak; of HTTP, CONNECT alone"),
    method: z.enum(["gssapi", "password", "none"]).default("gssapi").describe("How we tell who we are"),
    gssapi: gssapi.prefault({}).describe("For the method gssapi"),
    user: z.strictObject({ name: z.string().min(1).max(255), file }).optional(),
    sendClearTextPassword: z
      .boolean()
      .default(false)
      .describe("The method password needs neither TLS nor loopback"),
    tls: tls.describe("Speak TLS to them").optional(),
  })
  .superRefine(({ proxies, srv, trusted, method, user, tls, sendClearTextPassword, gssapi }, context) => {
    const problem = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (proxies === undefined && srv === undefined) problem(["proxies"], "expected proxies, srv or both");
    if (trusted !== undefined && srv === undefined)
      problem(["trusted"], "it is about what srv finds: add srv");
    const elsewhere = srv !== undefined || proxies?.some(({ host }) => !isThisHost(parseHost(host)));
    if (method === "password" && elsewhere && tls === undefined && !sendClearTextPassword)
      problem(
        ["method"],
        "the password would cross the network in clear: add tls, or say sendClearTextPassword: true",
      );
    if ((method === "password") !== (user !== undefined))
      problem(["user"], "the method password and the key user belong together");
    const { credential, ccache, clientKeytab, principal } = gssapi;
    if (credential !== "own" && [ccache, clientKeytab, principal].some((each) => each !== undefined))
      problem(["gssapi"], "the user's credential has no ccache, clientKeytab or principal of ours");
  });

export const upstreams = z.record(
  z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, { error: "a name of letters, digits, - and _" }),
  upstream,
);

export function actsForClients(configured: z.output<typeof upstreams>): boolean {
  return Object.values(configured).some(
    ({ method, gssapi }) => method === "gssapi" && gssapi.credential === "constrained",
  );
}

/** What acts in clients' place has tickets of its own, out of the keytab. */
export function delegationProblems(
  configured: z.output<typeof upstreams>,
  keytab: string | undefined,
): { path: PropertyKey[]; message: string }[] {
  if (keytab !== undefined || !actsForClients(configured)) return [];
  const message = "an upstream whose credential is constrained needs our keytab to be named";
  return [{ path: ["gssapi", "keytab"], message }];
}

export type UpstreamConfig = z.output<typeof upstream>;
