// docs/configuration.md against the schema: every key and every word that a key takes is named in its section, each
// default is the true one, and what is shown as an example, in README.md too, is a configuration.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse, stringify } from "yaml";
import { parseConfig } from "../../../src/config/load.js";
import { configSchema } from "../../../src/config/schema.js";

const ROOT = new URL("../../../../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, ROOT), "utf8");

/** The part of a schema's definition that is looked at. */
interface Part {
  def: {
    shape?: Record<string, Part>;
    entries?: Record<string, string>;
    element?: Part;
    innerType?: Part;
    in?: Part;
  };
}

/** Keys, as `timeouts.idle`, and the words of an enumeration behind its key. */
function namesOf({ def }: Part, path = ""): string[] {
  const inner = def.innerType ?? def.in ?? def.element;
  if (inner !== undefined) return namesOf(inner, path);
  const below = Object.entries(def.shape ?? {}).flatMap(([key, part]) => {
    const name = path === "" ? key : `${path}.${key}`;
    return [name, ...namesOf(part, name)];
  });
  return [...below, ...Object.keys(def.entries ?? {}).map((word) => `${path}.${word}`)];
}

/** By the key that it is about. */
function sectionsOf(text: string): Map<string, string> {
  const [, ...sections] = text.split(/^## /m);
  return new Map(sections.map((section) => [section.slice(0, section.indexOf("\n")), section]));
}

test("every key of the configuration, and every word that one takes, is named in its section", () => {
  const sections = sectionsOf(read("docs/configuration.md"));
  const names = namesOf(configSchema as unknown as Part);
  assert.ok(
    names.includes("listeners.tls.channelBindings.type.tls-exporter"),
    "the schema was looked through",
  );
  const missing = names.filter((name) => {
    const [section = "", ...below] = name.split(".");
    const text = sections.get(section);
    return (
      text === undefined ||
      (below.length > 0 && !new RegExp(`\`([\\w.]+\\.)?${below.at(-1)}[\`:.]`).test(text))
    );
  });
  assert.deepEqual(missing, []);
});

/** What a key needs around it. */
const AROUND: Readonly<Record<string, object>> = {
  "listeners.tls": { certificate: "/c", key: "/k" },
  groups: { file: "/g" },
  "passwords.ldap": { url: "ldaps://h", base: "dc=test" },
  "audit.transport": { target: "t" },
  "upstreams.u": { proxies: ["p:1"] },
};

/** A configuration with `value` at `path`, in which a key of `listeners` is one of the first listener. */
function withValue(path: string, value: unknown): string {
  const config: Record<string, unknown> = { listeners: [{ address: "127.0.0.1:1" }] };
  let at = config;
  const keys = path.split(".");
  for (const [index, key] of keys.slice(0, -1).entries()) {
    const around = AROUND[keys.slice(0, index + 1).join(".")];
    at[key] ??= { ...around };
    at = (key === "listeners" ? (config.listeners as unknown[])[0] : at[key]) as Record<string, unknown>;
  }
  if (value !== undefined) at[keys.at(-1) as string] = value;
  return stringify(config);
}

test("the defaults are those that docs/configuration.md tells", () => {
  let told = 0;
  for (const [section, text] of sectionsOf(read("docs/configuration.md"))) {
    let prefix = "";
    for (const line of text.split("\n")) {
      const [, of] = /^\| key of `(\w+)` \|/.exec(line) ?? [];
      if (of !== undefined) prefix = `${of}.`;
      else if (line.startsWith("| key |")) prefix = "";
      const [, key, value] = /^\| `([\w.]+)` \|.* \| `([^`]+)` \|$/.exec(line) ?? [];
      if (key === undefined || value === undefined) continue;
      // Of a set of sections, one.
      const one = section === "upstreams" ? "upstreams.u" : section;
      const path = `${one}.${prefix}${key}`;
      const silent = parseConfig(withValue(path, undefined), path);
      assert.deepEqual(parseConfig(withValue(path, parse(value)), path), silent, `${path}: not ${value}`);
      told += 1;
    }
  }
  assert.ok(told > 25, `${told} defaults`);
});

for (const file of ["README.md", "docs/configuration.md"]) {
  test(`the examples in ${file} are configurations`, () => {
    const examples = [...read(file).matchAll(/^( *)```yaml\n([\s\S]*?)^\1```$/gm)];
    assert.ok(examples.length > 1, `${examples.length} examples`);
    for (const [, indent = "", text = ""] of examples) {
      parseConfig(text.replaceAll(new RegExp(`^${indent}`, "gm"), ""), file);
    }
  });
}
