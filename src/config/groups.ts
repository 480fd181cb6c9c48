/** `groups`: who knows which groups clients are in. */
import * as z from "zod";
import { DEFAULTS } from "./defaults.js";
import { duration, file } from "./fields.js";

export const groups = z
  .strictObject({
    file: file.optional(),
    system: z.boolean().default(false),
    maxAge: duration(0).default(DEFAULTS.groupsMaxAge),
  })
  .refine(({ file, system }) => file !== undefined || system, {
    error: "expected a file, system: true, or both",
  })
  .transform(({ file, ...rest }) => ({ file: file ?? null, ...rest }));
