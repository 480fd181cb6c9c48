/** `control`: where the command line reaches a server that runs. */
import { parseDocument } from "yaml";
import * as z from "zod";
import { text } from "./fields.js";
import { parseSocketPath } from "./values.js";

export const control = z.strictObject({ socket: text("an absolute path", parseSocketPath) });

/**
 * Where the server that was started with `source` listens, though all else may be wrong by now; null where that is not said.
 * @param source YAML
 */
export function controlSocketIn(source: string): string | null {
  const { success, data } = control.safeParse({
    socket: parseDocument(source).getIn(["control", "socket"]),
  });
  return success ? data.socket : null;
}
