// Writes the JSON Schema of the configuration file, for the package; after tsc.
import { writeFileSync } from "node:fs";
import { jsonSchema } from "../dist/src/config/json-schema.js";

writeFileSync(
  new URL("../dist/gssocks.schema.json", import.meta.url),
  `${JSON.stringify(jsonSchema(), null, 2)}\n`,
);
