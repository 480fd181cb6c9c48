/** The `listeners` part of the configuration file. */
import * as z from "zod";
import { IpNetwork } from "../policy/ip-network.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import { distinct, file, protectionLevels, text } from "./fields.js";
import { isLoopback, parseListenAddress } from "./values.js";

const methods = distinct(z.enum(["certificate", "gssapi", "password", "none"]), "name at least one method");

const networks = z
  .array(text("an address or a network, as 10.0.0.0/8", (value) => IpNetwork.parse(value)))
  .min(1, { error: "the list is empty; name at least one network" });

const socks4 = z
  .strictObject({
    identity: z.enum(["ident", "asserted", "none"]),
    users: distinct(z.string().min(1), "leave users out to let every user in").optional(),
  })
  .refine(({ identity, users }) => identity !== "none" || users === undefined, {
    path: ["users"],
    error: "where identity is none no name is looked at, so a list of them would keep nobody out",
  });

const tls = z.strictObject({
  certificate: file,
  key: file,
  clientAuthorities: file.optional(),
  clientCertificate: z.enum(["required", "optional"]).default("optional"),
  clientIdentity: z.enum(["subject", "email", "dns", "uri"]).default("subject"),
  minVersion: z.enum(["TLSv1.2", "TLSv1.3"]).default("TLSv1.2"),
  ciphers: z.string().min(1).optional(),
  channelBindings: z
    .strictObject({
      type: z.enum(["tls-server-end-point", "tls-exporter"]).default("tls-server-end-point"),
      required: z.boolean().default(false),
    })
    .prefault({}),
});

const listener = z
  .strictObject({
    address: text("an IP address and a port, as 127.0.0.1:1080", parseListenAddress, { pattern: ":\\d+$" }),
    gssapi: z
      .strictObject({ protectionLevels: protectionLevels.optional(), nec: z.boolean().optional() })
      .prefault({}),
    methods: methods.prefault(["gssapi"]),
    sources: z.array(z.strictObject({ from: networks, methods })).default([]),
    acceptClearTextPasswords: z.boolean().default(false),
    socks4: socks4.optional(),
    http: z.boolean().default(false),
    tls: tls.optional(),
  })
  .superRefine(({ address, methods, sources, acceptClearTextPasswords, tls }, context) => {
    const all = new Set([...methods, ...sources.flatMap((source) => source.methods)]);
    const problem = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (all.has("certificate") && tls?.clientAuthorities === undefined)
      problem(["methods"], "the method certificate needs tls.clientAuthorities");
    if (tls?.clientCertificate === "required" && tls.clientAuthorities === undefined)
      problem(["tls", "clientCertificate"], "a required certificate needs clientAuthorities");
    if (all.has("password") && tls === undefined && !isLoopback(address.host) && !acceptClearTextPasswords) {
      problem(
        ["methods"],
        "passwords would cross the network in clear: add tls, listen on loopback, or say acceptClearTextPasswords: true",
      );
    }
  });

/** Two sockets cannot share an address; `*` and `[::]` are the same one. */
export const listeners = z
  .array(listener)
  .min(1, { error: "the list is empty; name at least one address to listen on" })
  .superRefine((list, context) => {
    const names = list.map(({ address }) => (address.port === 0 ? null : `${address.host} ${address.port}`));
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
