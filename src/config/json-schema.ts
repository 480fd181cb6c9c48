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
  return { $schema, title: "The configuration of gssocks", ...schema };
}
