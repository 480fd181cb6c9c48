/** `passwords`: the one backend that knows them. */
import * as z from "zod";
import { text } from "./fields.js";
import { parseKeytab, parsePath, parseTargetName, parseText } from "./values.js";

const file = (what: string) => text(`the absolute path of ${what}`, (value) => parsePath(value));
const pattern = (expected: string, shape: RegExp) =>
  text(expected, (value) => parseText(value, shape, expected));

const kerberos = z.strictObject({
  realm: pattern("a realm, as EXAMPLE.TEST", /^[^@/\\\s]+$/).optional(),
  service: text("service@host or service/host@REALM", parseTargetName).optional(),
  keytab: text("an absolute path", parseKeytab).optional(),
});

const dn = (example: string) => pattern(`a DN, as ${example}`, /^[A-Za-z0-9.-]+ *=[^\0]+$/);

const ldap = z
  .strictObject({
    url: pattern(
      "ldaps://host or ldap://host (with StartTLS), each with a port or without",
      /^ldaps?:\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[1-9]\d{0,4})?\/?$/,
    ),
    ca: file("certificates in PEM").optional(),
    base: dn("ou=people,dc=example,dc=test"),
    nameAttribute: pattern("an attribute's name, as uid", /^[A-Za-z][A-Za-z0-9-]*$/).default("uid"),
    filter: pattern("a filter, as (objectClass=person)", /^\(.*\)$/s).optional(),
    bindDn: dn("cn=proxy,dc=example,dc=test").optional(),
    bindPasswordFile: file("the file with bindDn's password").optional(),
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
    file: file("a users file").optional(),
    kerberos: kerberos.optional(),
    ldap: ldap.optional(),
  })
  .meta({ minProperties: 1, maxProperties: 1 })
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
