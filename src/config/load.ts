/** A configuration file -> {@link Config}, or all that is wrong with it at once. */
import { closeSync, openSync, readSync } from "node:fs";
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import { ConfigError, type ConfigProblem } from "../errors.js";
import { issueMessage } from "./problems.js";
import { type Config, configSchema } from "./schema.js";

export const MAX_FILE_SIZE = 1 << 20;
/** Also the bound on how often aliases may multiply what they stand for. */
const MAX_ALIASES = 100;

export type Problem = (path: readonly PropertyKey[], message: string) => void;

/** @throws ConfigError that lists every problem with its line and key path */
export function loadConfig(path: string): Config {
  return parseConfig(readConfig(path), path);
}

/**
 * @param source YAML
 * @param file what problems call it
 * @param complete puts what is left out in its place, and tells what is wrong that the schema would not find
 * @throws ConfigError that lists every problem with its line and key path
 */
export function parseConfig(
  source: string,
  file: string,
  complete: (written: unknown, problem: Problem) => unknown = (written) => written,
): Config {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const lineAt = (offset: number | undefined) =>
    offset === undefined ? {} : { line: lines.linePos(offset).line };
  const broken = [...document.errors, ...document.warnings].map(
    ({ code, message, pos }): ConfigProblem => ({
      path: "",
      ...lineAt(pos[0]),
      message: code === "NON_STRING_KEY" ? "a key must be text; put an [address]:port in quotes" : message,
    }),
  );
  const unreadable = broken.length > 0 ? broken : aliasProblems(document, lineAt);
  if (unreadable.length > 0) throw new ConfigError(file, unreadable);

  const problems: ConfigProblem[] = [];
  const problem: Problem = (path, message) => {
    problems.push({ path: pathText(path), ...lineAt(offsetOf(document, path)), message });
  };
  const whole = complete(toValue(document, file), problem);
  const result = configSchema.safeParse(whole, { error: issueMessage });
  if (result.success && problems.length === 0) return result.data;
  for (const issue of result.error?.issues ?? []) {
    const keys =
      issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    for (const path of keys) problem(path, issue.message);
  }
  throw new ConfigError(
    file,
    problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)),
  );
}

/**
 * Reads at most one octet more than is allowed, so that a device or a pipe cannot fill the memory.
 * @throws ConfigError
 */
export function readConfig(path: string): string {
  const buffer = Buffer.alloc(MAX_FILE_SIZE + 1);
  let size = 0;
  try {
    const descriptor = openSync(path, "r");
    try {
      for (let read = -1; read !== 0 && size < buffer.length; size += read) {
        read = readSync(descriptor, buffer, size, buffer.length - size, null);
      }
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  if (size > MAX_FILE_SIZE)
    throw new ConfigError(path, [{ path: "", message: `larger than ${MAX_FILE_SIZE} octets` }]);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, size));
  } catch {
    throw new ConfigError(path, [{ path: "", message: "not UTF-8 text" }]);
  }
}

export function unreadable(file: string, error: unknown): ConfigError {
  return new ConfigError(file, [{ path: "", message: `cannot be read: ${(error as Error).message}` }]);
}

/** An unquoted `*.example.test` is an alias to YAML; say so, since rules are full of them. */
function aliasProblems(
  document: Document,
  lineAt: (offset: number | undefined) => { line?: number },
): ConfigProblem[] {
  const aliases: Alias[] = [];
  visit(document, { Alias: (_, node) => void aliases.push(node) });
  if (aliases.length > MAX_ALIASES) return [{ path: "", message: `more than ${MAX_ALIASES} aliases` }];
  return aliases
    .filter((alias) => alias.resolve(document) === undefined)
    .map((alias) => ({
      path: "",
      ...lineAt(alias.range?.[0]),
      message: `*${alias.source} is an alias in YAML, to an anchor that does not exist; put text that begins with * in quotes`,
    }));
}

function toValue(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw new ConfigError(file, [{ path: "", message: (error as Error).message }]);
  }
}

/** The line of the key or value at `path` in a text that {@link parseConfig} takes. */
export function lineOf(source: string, path: readonly PropertyKey[]): number | undefined {
  const lines = new LineCounter();
  const offset = offsetOf(parseDocument(source, { lineCounter: lines, stringKeys: true }), path);
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

/** Where the value at `path` begins, or its key where it is a key's; for what is missing, its nearest parent. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  let node: Node | null | undefined = document.contents;
  let offset = node?.range?.[0];
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document);
    let child: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      child = pair?.value;
      if (isScalar(pair?.key)) offset = pair.key.range?.[0];
    } else if (isSeq(node) && typeof key === "number") {
      child = node.items[key];
      if (isNode(child)) offset = child.range?.[0];
    }
    if (!isNode(child)) break;
    node = child;
  }
  return offset;
}

export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}
