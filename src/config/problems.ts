/** What is wrong with a value, in words: what was expected, and what was found. */
import type * as z from "zod";

const KINDS: Readonly<Record<string, string>> = {
  array: "a list",
  object: "a mapping",
  string: "text",
  boolean: "true or false",
  int: "a whole number",
  number: "a whole number",
};

/** `expected …, found …`, for a missing value `missing; expected …`. */
export function describe(expected: string, found: unknown): string {
  return found === undefined ? `missing; expected ${expected}` : `expected ${expected}, found ${name(found)}`;
}

/** Words for the issues that the schema has no message of its own for. */
export function issueMessage(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return describe(KINDS[issue.expected] ?? issue.expected, issue.input);
    case "invalid_value":
      return describe(`one of ${issue.values.join(", ")}`, issue.input);
    case "too_small":
      return describe(`at least ${issue.minimum}`, issue.input);
    case "too_big":
      return describe(`at most ${issue.maximum}`, issue.input);
    case "unrecognized_keys": {
      const { def } = issue.inst?._zod ?? {};
      const shape = def !== undefined && "shape" in def ? Object.keys(def.shape as object) : [];
      return `unknown key; expected one of ${shape.join(", ")}`;
    }
    default:
      return undefined;
  }
}

function name(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  const text = JSON.stringify(value);
  return `${typeof value === "string" ? "" : `the ${typeof value} `}${text.length > 80 ? `${text.slice(0, 80)}…` : text}`;
}
