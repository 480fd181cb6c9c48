/** The configuration file's shape for editors: JSON Schema, made of the same source as what the server reads it with. */
import * as z from "zod";
import { configSchema } from "./schema.js";

/**
 * Wider than the loader, which knows what texts mean and how keys fit together: it takes whatever the loader takes, and
 * refuses unknown keys, wrong types, missing keys, and words that are none.
 */
export function jsonSchema(): object {
  // Draft 7 is what editors' YAML servers know.
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: "input", target: "draft-7" });
  return { $schema, title: "The configuration of gssocks", ...(described(schema) as object) };
}

/** With what a text's parser expects (`text` in fields.ts) told behind what the key is for, where no list of words does. */
function described(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(described);
  if (typeof part !== "object" || part === null) return part;
  const entries = Object.entries(part).map(([key, value]) => [key, described(value)]);
  const { expected, ...rest } = Object.fromEntries(entries);
  // A key of the configuration with that name has a mapping there.
  if (typeof expected !== "string") return Object.fromEntries(entries);
  if ("enum" in rest) return rest;
  const { description } = rest;
  return {
    ...rest,
    description: `${description === undefined ? "" : `${description}. `}Expected: ${expected}`,
  };
}
