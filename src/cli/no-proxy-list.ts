/** A list as no_proxy's on the command line. */
import { InvalidArgumentError } from "commander";
import { UsageError } from "../errors.js";
import { parseNoProxy } from "../policy/no-proxy.js";

/** @returns its entries */
export function parseNoProxyList(text: string): readonly string[] {
  return orInvalid(() => parseNoProxy(text).entries);
}

/** What is wrong with a value is, of an argument, for commander to tell. */
export function orInvalid<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof UsageError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}
