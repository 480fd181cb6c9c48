/** `passwords`: the one backend that knows them. */
import * as z from "zod";
import { text } from "./fields.js";
import { parseKeytab, parsePath, parseTargetName, parseText } from "./values.js";

const file = (what: string) => text(`the absolute path of ${what}`, (value) => parsePath(value));
const pattern = (expected: string, shape: RegExp) =>
  text(expected, (value) => parseText(value, shape, expected));

const kerberos = z.strictObject({
  realm: pattern("a realm, as EXAMPLE.TEST", /^[^@/\\\s]+$/)
    .describe("The realm of users who type their name without one; without it, that of service")
    .optional(),
  service: text("service@host or service/host@REALM", parseTargetName)
    .describe("Our own name, whose key is in the keytab; without it, the keytab's first")
    .optional(),
  keytab: text("an absolute path", parseKeytab).describe("The keytab; without it, that of gssapi").optional(),
});

const dn = (example: string) => pattern(`a DN, as ${example}`, /^[A-Za-z0-9.-]+ *=[^\0]+$/);

const ldap = z
  .strictObject({
    url: pattern(
      "ldaps://host or ldap://host (with StartTLS), each with a port or without",
      /^ldaps?:\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[1-9]\d{0,4})?\/?$/,
    ).describe("The directory; its certificate must be for this host"),
    ca: file("certificates in PEM")
      .describe("Whom the directory's certificate may be signed by; without it, Node's list")
      .optional(),
    base: dn("ou=people,dc=example,dc=test").describe("The DN below which users are"),
    nameAttribute: pattern("an attribute's name, as uid", /^[A-Za-z][A-Za-z0-9-]*$/)
      .describe("An attribute with one value for each user; sAMAccountName in Active Directory")
      .prefault("uid"),
    filter: pattern("a filter, as (objectClass=person)", /^\(.*\)$/s)
      .describe("What a user's entry must match besides")
      .optional(),
    bindDn: dn("cn=proxy,dc=example,dc=test")
      .describe("Whom to search as; without it, anonymously")
      .optional(),
    bindPasswordFile: file("the file with bindDn's password")
      .describe("Its first line is the password")
      .optional(),
  })
  .superRefine(({ bindDn, bindPasswordFile }, context) => {
    if ((bindDn === undefined) === (bindPasswordFile === undefined)) return;
    const [missing, given] =
      bindDn === undefined ? ["bindDn", "bindPasswordFile"] : ["bindPasswordFile", "bindDn"];
    context.addIssue({
      code: "custom",
      path: [missing],
      message: `missing; ${given} is of no use without it`,
    });
  });

export type PasswordsConfig =
  | { readonly file: string }
  | { readonly kerberos: z.output<typeof kerberos> }
  | { readonly ldap: z.output<typeof ldap> };

export const passwords = z
  .strictObject({
    file: file("a users file")
      .describe("A line name:hash for each user, as gssocks passwd writes them")
      .optional(),
    kerberos: kerberos.describe("The password has to get a ticket for a service of ours").optional(),
    ldap: ldap
      .describe(
        "The one entry that has the name is searched for, then bound to with the password, under TLS alone",
      )
      .optional(),
  })
  .meta({
    minProperties: 1,
    maxProperties: 1,
    description: "Who knows the passwords that clients may send (RFC 1929): exactly one of three",
  })
  .transform((value, context): PasswordsConfig => {
    const { file, kerberos, ldap } = value;
    const given = Object.values(value).filter((backend) => backend !== undefined);
    if (given.length === 1) {
      if (file !== undefined) return { file };
      if (kerberos !== undefined) return { kerberos };
      if (ldap !== undefined) return { ldap };
    }
    context.addIssue({ code: "custom", message: "expected exactly one of file, kerberos and ldap" });
    return z.NEVER;
  });
