/** Who may import whom in src, and how large a file may be. A new layer or package needs a row here. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";

const SOURCE = new URL("../../src/", import.meta.url);
const LONGEST_FILE = 400;

interface Layer {
  /** Layers, or single files of one, whose values and types it may import; its own and errors go without saying. */
  readonly uses?: readonly string[];
  /** The same, `import type` only. */
  readonly types?: readonly string[];
  /** No I/O, timer, clock or logger. */
  readonly pure?: true;
}

const LAYERS: Readonly<Record<string, Layer>> = {
  errors: { pure: true },
  protocol: { pure: true },
  policy: { uses: ["protocol/address"], types: ["protocol/protection-level"], pure: true },
  gss: {},
  auth: {
    uses: ["gss", "protocol", "relay/fair-places"],
    types: ["policy/auth-methods", "observability/events"],
  },
  relay: {
    uses: [
      "protocol",
      "gss/flags",
      "gss/fast-context",
      "gss/native-relay",
      "gss/rate",
      "gss/tcp-end",
      "gss/host-lookup",
    ],
    types: ["gss", "observability/events"],
  },
  config: { uses: ["policy", "protocol", "gss/oids"] },
  observability: { types: ["protocol", "policy", "auth"] },
  server: { uses: ["auth", "policy", "protocol", "relay", "gss"], types: ["config", "observability/events"] },
  control: { uses: ["server/unix-socket"], types: ["server"] },
  workers: {
    uses: ["server", "gss/native"],
    types: ["auth", "observability/events", "observability/metrics-sum"],
  },
  client: { uses: ["gss", "protocol", "relay"], types: ["observability/events"] },
  cli: { uses: ["*"] },
  embed: { uses: ["server", "auth", "config", "cli/server-options"], types: ["observability/events"] },
  undici: { uses: ["client"] },
  index: { uses: ["*"] },
};

/** Packages, and the layers or files that may import them. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "ipaddr.js": ["protocol", "policy"],
  yaml: ["config"],
  zod: ["config", "observability/audit-schema"],
  "hash-wasm": ["auth"],
  ldapts: ["auth"],
  pino: ["observability"],
  "prom-client": ["observability"],
  commander: ["cli"],
  "pkg-prebuilds": ["gss/native"],
  undici: ["undici"],
};

const IMPURE =
  /\bprocess\.|\bconsole\.|\bset(?:Timeout|Interval|Immediate)\(|\bnew Date\b|\bDate\.now\b|\bperformance\.|\bMath\.random\b|\bfetch\(/g;

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

test("every file of src imports only what its layer may", () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  assert.ok(files.includes("errors.ts") && files.includes("policy/ruleset.ts"), "src was found");
  const found = files.flatMap((file) => violations(file, readFileSync(new URL(file, SOURCE), "utf8")));
  assert.deepEqual(found, [], found.join("\n"));
});

test("the check finds what it is there for", () => {
  const table: [file: string, text: string, found: string[]][] = [
    ["policy/rule.ts", 'import { UsageError } from "../errors.js";\nimport { a } from "./matchers.js";', []],
    ["policy/rule.ts", 'import { a } from "../protocol/address.js";', []],
    [
      "policy/rule.ts",
      'import { a } from "../protocol/reply.js";',
      ["policy/rule.ts may not import ../protocol/reply.js"],
    ],
    ["policy/rule.ts", 'import {\n  a,\n} from "node:net";', ["policy/rule.ts may not import node:net"]],
    ["policy/rule.ts", '/* console.log */ // Date.now()\nconst text = "now";', []],
    [
      "policy/rule.ts",
      "const t = Date.now();",
      ["policy/rule.ts is in a pure layer and may not use Date.now"],
    ],
    ["errors.ts", 'export { a } from "./index.js";', ["errors.ts may not import ./index.js"]],
    ["relay/pump.ts", 'import type { A } from "../gss/security-context.js";', []],
    ["relay/pump.ts", 'import { type A, type B } from "../gss/security-context.js";', []],
    [
      "relay/pump.ts",
      'import { type A, b } from "../gss/name.js";',
      ["relay/pump.ts may import only types from ../gss/name.js"],
    ],
    [
      "server/server.ts",
      'import { a } from "../client/a.js";',
      ["server/server.ts may not import ../client/a.js"],
    ],
    [
      "client/a.ts",
      'const a = await import("../server/server.js");',
      ["client/a.ts may not import ../server/server.js"],
    ],
    ["server/server.ts", 'import "pino";', ["server/server.ts may not import pino"]],
    ["server/server.ts", 'import { a } from "left-pad";', ["server/server.ts may not import left-pad"]],
    ["gss/name.ts", 'require("pkg-prebuilds");', ["gss/name.ts may not import pkg-prebuilds"]],
    ["gss/native.ts", 'require("pkg-prebuilds");', []],
    ["gss/name.ts", 'require("../../build/x.node");', ["gss/name.ts may not import ../../build/x.node"]],
    ["server/server.ts", "const { PATH } = process.env;", ["server/server.ts may not read process.env"]],
    [
      "server/server.ts",
      'import { env } from "node:process";',
      ["server/server.ts may not import node:process"],
    ],
    [
      "cli/main.ts",
      'import { a } from "../server/server.js";\nimport { b } from "commander";\nprocess.env;',
      [],
    ],
    ["observability/events.ts", "export const a = 1;", ["observability/events.ts may hold only types"]],
    ["extra/a.ts", "", ["extra/a.ts is in no known layer"]],
    ["cli/main.ts", "\n".repeat(401), ["cli/main.ts has 401 lines, more than 400"]],
  ];
  for (const [file, text, found] of table)
    assert.deepEqual(violations(file, text), found, `${file}: ${text}`);
});

/** @param file its path in src */
function violations(file: string, text: string): string[] {
  const self = file.replace(/\.ts$/, "");
  const own = layerOf(self);
  const layer = LAYERS[own];
  if (layer === undefined) return [`${file} is in no known layer`];

  const found = importsOf(text).flatMap((each) => {
    const problem = each.from.startsWith(".")
      ? relativeProblem(self, layer, each)
      : packageProblem(self, layer, each.from);
    return problem === null ? [] : [`${file} ${problem} ${each.from}`];
  });
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  const lines = text.replace(/\n$/, "").split("\n").length;
  if (layer.pure) {
    for (const [use] of code.matchAll(IMPURE))
      found.push(`${file} is in a pure layer and may not use ${use}`);
  }
  if (/\bprocess\.env\b/.test(code) && !["cli", "config"].includes(own))
    found.push(`${file} may not read process.env`);
  if (self === "observability/events" && /^export (?!type\b|interface\b)/m.test(code)) {
    found.push(`${file} may hold only types`);
  }
  if (lines > LONGEST_FILE) found.push(`${file} has ${lines} lines, more than ${LONGEST_FILE}`);
  return found;
}

function relativeProblem(self: string, layer: Layer, { from, typeOnly }: Import): string | null {
  const target = posix.join(posix.dirname(self), from).replace(/\.js$/, "");
  if (target.startsWith("../")) return self === "gss/native" ? null : "may not import";
  const may = (names: readonly string[] = []) =>
    names.some((name) => ["*", target, layerOf(target)].includes(name));
  if (may([layerOf(self), "errors"]) || may(layer.uses)) return null;
  if (!may(layer.types)) return "may not import";
  return typeOnly ? null : "may import only types from";
}

function packageProblem(self: string, layer: Layer, from: string): string | null {
  if (from === "node:process") return ["cli", "config"].includes(layerOf(self)) ? null : "may not import";
  if (from.startsWith("node:")) return layer.pure ? "may not import" : null;
  const users = PACKAGES[from] ?? [];
  return users.includes(layerOf(self)) || users.includes(self) ? null : "may not import";
}

function layerOf(path: string): string {
  return path.split("/")[0] as string;
}

function importsOf(text: string): Import[] {
  const found: Import[] = [];
  for (const [, clause = "", from = ""] of text.matchAll(
    /^(?:import|export)\b([^;"'=]*?)\bfrom\s*["']([^"']+)["']/gm,
  )) {
    const names = /^\s*\{([^}]*)\}\s*$/.exec(clause)?.[1]?.split(",") ?? [];
    const listed = names.map((name) => name.trim()).filter((name) => name !== "");
    const allTypes = listed.length > 0 && listed.every((name) => name.startsWith("type "));
    found.push({ from, typeOnly: /^\s*type\b/.test(clause) || allTypes });
  }
  for (const [, bare, called] of text.matchAll(
    /^import\s*["']([^"']+)["']|\b(?:import|require)\(\s*["']([^"']+)["']/gm,
  )) {
    found.push({ from: bare ?? called ?? "", typeOnly: false });
  }
  return found;
}
