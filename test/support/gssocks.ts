/** The command line, run to its end. */
import { type Finished, runToEnd, type StartOptions } from "./processes.js";
import { CLI } from "./proxy.js";

/** The exit status and the output are the caller's to judge. */
export function gssocks(args: readonly string[], options: StartOptions = {}): Promise<Finished> {
  return runToEnd(process.execPath, ["--enable-source-maps", CLI, ...args], options);
}
