/** What the parts of the schema are made of. */
import * as z from "zod";
import { UsageError } from "../errors.js";
import { describe } from "./problems.js";

/** Text that `parse` makes something of; what `parse` throws becomes the problem. */
export function text<T>(expected: string, parse: (text: string) => T) {
  return z.string({ error: ({ input }) => describe(expected, input) }).transform((value, context): T => {
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  });
}
