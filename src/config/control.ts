/** `control`: where the command line reaches a server that runs. */
import { parseDocument } from "yaml";
import * as z from "zod";
import { text } from "./fields.js";
import { parseSocketPath } from "./values.js";

export const control = z
  .strictObject({
    socket: text("an absolute path", parseSocketPath).describe(
      "A Unix socket that the server makes, with mode 0600; nobody else may write in its directory",
    ),
  })
  .describe(
    "Where gssocks reload, sessions, upstreams and kill reach the server; without it, control in the directory of systemd's RuntimeDirectory=",
  );

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
