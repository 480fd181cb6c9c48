/** Files that the command line or the configuration names. */
import { readFileSync } from "node:fs";
import { unreadable } from "../config/load.js";
import { ConfigError } from "../errors.js";

/** @throws ConfigError that names the file */
export function fileContents(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/**
 * A password: of an empty one nothing could come (RFC 1929 §2).
 * @throws ConfigError that names the file
 */
export function firstLineOf(file: string): Buffer {
  const octets = fileContents(file);
  const end = octets.indexOf("\n");
  const line = octets.subarray(0, end < 0 ? octets.length : end);
  if (line.length > 0) return line;
  throw new ConfigError(file, [{ path: "", message: "expected a password in its first line" }]);
}
