/** `gssocks forward` as a process of its own, on a port of 127.0.0.1 that the system picked unless told otherwise. */
import { start } from "./processes.js";
import { CLI } from "./proxy.js";
import { listening, ServerProcess } from "./server-process.js";

export class Forwarder extends ServerProcess {
  /**
   * Fulfilled when every listener accepts.
   * @param args beside `--log json`
   * @param env the realm's, with the credential cache; without XDG_RUNTIME_DIR it has no control socket
   */
  static async start(
    args: readonly string[],
    env: Readonly<Record<string, string | undefined>>,
    listeners = 1,
  ): Promise<Forwarder> {
    const told = args.some((arg) => ["--listen", "--config"].includes(arg));
    const listen = told ? [] : ["--listen", "127.0.0.1:0"];
    const all = ["--enable-source-maps", CLI, "forward", "--log", "json", ...listen, ...args];
    const child = await start(process.execPath, all, { env: { XDG_RUNTIME_DIR: undefined, ...env } });
    try {
      return new Forwarder(child, "forward", await listening(child, listeners));
    } catch (error) {
      await child.stop();
      throw error;
    }
  }
}
