// docs/library.md: every code of the errors that programs meet (thrown by src/client and src/gss, and by what they import)
// is in its table, and no other; the examples it names are there.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";

const ROOT = new URL("../../../../", import.meta.url);
const SOURCE = new URL("src/", ROOT);
const text = readFileSync(new URL("docs/library.md", ROOT), "utf8");

/** Texts in capitals that are no codes of ours: the addon's, the C library's, Node's and RFC 2744's. */
const OTHERS = /^(?:(?:ERR|GSS_S|EAI|HPE)_|(?:HOST_NOT_FOUND|NO_DATA)$)/;
/** Told to the callers of these files as another code, or to servers alone. */
const INSIDE = ["NO_METHODS", "NO_USERNAME"];

/** Those files and all they import, types apart. */
function reachable(): Map<string, string> {
  const files = new Map<string, string>();
  const from = ["client", "gss"].flatMap((layer) =>
    readdirSync(new URL(`${layer}/`, SOURCE)).map((file) => `${layer}/${file}`),
  );
  while (from.length > 0) {
    const next = from.pop() as string;
    if (files.has(next)) continue;
    const code = readFileSync(new URL(next, SOURCE), "utf8");
    files.set(next, code);
    for (const [, type, path = ""] of code.matchAll(
      /^(?:import|export)\b(\s+type\b)?[^;"']*?from\s*["'](\.[^"']+)["']/gm,
    )) {
      if (type === undefined) from.push(posix.join(posix.dirname(next), path).replace(/\.js$/, ".ts"));
    }
  }
  return files;
}

test("every code is in the table, and every code in the table is thrown", () => {
  const thrown = new Set<string>();
  for (const code of reachable().values()) {
    for (const pattern of [
      /"([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)"/g,
      /new \w+Error\(\s*"([A-Z0-9]+)"/g,
      /^\s*"([A-Z]{4,})",$/gm,
    ])
      for (const [, found = ""] of code.matchAll(pattern)) if (!OTHERS.test(found)) thrown.add(found);
  }
  assert.ok(thrown.has("REPLAY") && thrown.has("NAME_NOT_FOUND"), "the sources were looked through");
  const [, section = ""] = text.split(/^## Errors$/m);
  const [table = ""] = section.split(/^## /m);
  const told = [...table.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, code = ""]) => code),
  );
  assert.deepEqual(
    told.filter((code, at) => told.indexOf(code) !== at),
    [],
    "told twice",
  );
  const embedded = ["CONFIG_INVALID", "AUTHORIZE_DENIED", "AUTHORIZE_FAILED", "CANNOT_LISTEN", "TLS_FILES"];
  const missing = [...thrown].filter((code) => !told.includes(code) && !INSIDE.includes(code));
  assert.deepEqual(missing.toSorted(), []);
  assert.deepEqual(
    told.filter((code) => !thrown.has(code) && !embedded.includes(code)),
    [],
  );
});

test("the examples are there", () => {
  const named = [...text.matchAll(/\]\(\.\.\/(examples\/[\w.-]+)\)/g)].map(([, path = ""]) => path);
  assert.ok(named.length > 5, `${named.length} examples`);
  for (const path of named) assert.ok(existsSync(new URL(path, ROOT)), path);
});
