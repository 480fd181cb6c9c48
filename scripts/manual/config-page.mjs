// gssocks.yaml(5), of the JSON Schema of the configuration.
import { bold, example, page, prose } from "./roff.mjs";

/** @param sample a configuration to show */
export function configPage(schema, { version, date, sample, commands }) {
  const sections = [
    ["DESCRIPTION", INTRODUCTION.map(prose).join("\n.PP\n")],
    ["KEYS", new Keys().of(schema, "")],
    ["EXAMPLE", example(sample)],
    ["SEE ALSO", commands.map(({ name, section }) => `${bold(name)}(${section})`).join(",\n")],
  ];
  const about = "configuration of the gssocks proxy";
  return {
    name: "gssocks.yaml",
    section: 5,
    source: page({ name: "gssocks.yaml", section: 5, about, version, date, sections }),
  };
}

const INTRODUCTION = [
  "One YAML file of at most 1 MiB, which `gssocks serve`, `gssocks check`, `gssocks explain` and `gssocks identd` are told by name. An unknown key, a key written twice or a value that cannot be understood is an error; `gssocks check` tells all of them at once.",
  "YAML gives `*`, `[` and `{` at the beginning of a value a meaning of its own: put such values in quotes.",
];

/** Keys that were told once are not told again where they come once more. */
class Keys {
  #told = new Map();

  of(schema, path) {
    const { properties, required = [] } = schema;
    return Object.entries(properties)
      .map(([key, value]) => this.#entry(key, value, required.includes(key), path))
      .join("\n");
  }

  #entry(key, value, required, above) {
    const path = `${above}${key}`;
    const entry = value.items ?? value;
    const words = [
      ...(value.description === undefined ? [] : [`${value.description}.`]),
      kind(value, required),
    ];
    const told = [".TP", `\\fB${key}\\fR`, prose(words.join(" "))];
    if (entry.properties === undefined) return told.join("\n");
    const known = this.#tell(entry, path);
    if (known !== undefined) return [...told, prose(`Its keys are those of \`${known}\`.`)].join("\n");
    return [...told, ".RS", this.of(entry, `${path}.`), ".RE"].join("\n");
  }

  /** Where the same keys have been told already; from now on at `path`. */
  #tell({ properties }, path) {
    // `not` has all of the others but itself.
    const { not: _, ...keys } = properties;
    const text = JSON.stringify(keys);
    const known = this.#told.get(text);
    if (known === undefined) this.#told.set(text, path);
    return Object.keys(keys).length > 2 ? known : undefined;
  }
}

function kind(value, required) {
  const facts = expectedOf(value) === undefined ? [typeOf(value)] : [];
  if (required) facts.push("required");
  const { default: standard } = value;
  const text = standard === undefined ? "" : shown(standard);
  if (text !== "") facts.push(`by default \`${text}\``);
  return facts.length === 0 ? "" : `(${facts.join("; ")})`;
}

/** Of a text, as `text` in src/config/fields.ts has it. */
function expectedOf({ description = "" }) {
  return /Expected: (.*)$/s.exec(description)?.[1];
}

function typeOf({ type, enum: words, anyOf, const: word, minimum, maximum, items }) {
  if (words !== undefined) return `one of ${words.map(quoted).join(", ")}`;
  if (word !== undefined) return quoted(word);
  if (anyOf !== undefined) return anyOf.map(typeOf).join(" or ");
  switch (type) {
    case "array":
      return `list of ${items.properties === undefined ? entries(items) : "mappings"}`;
    case "object":
      return "mapping";
    case "boolean":
      return "true or false";
    case "integer":
      return maximum === undefined ? "whole number" : `${minimum} to ${maximum}`;
    case "string":
      return "text";
    default:
      return "anything";
  }
}

function entries(items) {
  const expected = expectedOf(items);
  return expected === undefined ? typeOf(items).replace(/^text$/, "texts") : `texts, each ${expected}`;
}

const quoted = (word) => `\`${word}\``;

/** What the file would have; empty for what has nothing in it. */
function shown(value) {
  if (Array.isArray(value)) return value.length === 0 ? "" : `[${value.map(shown).join(", ")}]`;
  return typeof value === "object" ? "" : String(value);
}
