/** `groups`: who knows which groups clients are in. */
import * as z from "zod";
import { DEFAULTS } from "./defaults.js";
import { duration, file } from "./fields.js";

export const groups = z
  .strictObject({
    file: file
      .describe(
        "A file in the form of group(5). A member with an @ is a Kerberos principal, others are local names",
      )
      .optional(),
    system: z.boolean().default(false).describe("Ask the system (NSS: /etc/group, SSSD, a directory)"),
    maxAge: duration(0).describe("How old an answer may be").prefault(DEFAULTS.groupsMaxAge),
  })
  .describe("Who knows which groups clients are in, for rules with group")
  .refine(({ file, system }) => file !== undefined || system, {
    error: "expected a file, system: true, or both",
  })
  .transform(({ file, ...rest }) => ({ file: file ?? null, ...rest }));
