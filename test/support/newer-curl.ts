/** A curl that can do SOCKS5 with GSS-API: Debian 12's and 13's own (7.69 to 8.19) fail with every server. */
import { fileURLToPath } from "node:url";
import { run } from "./processes.js";

const script = fileURLToPath(new URL("../../../scripts/fetch-curl.sh", import.meta.url));

/** The path of curl 8.20 or later with GSS-API; fetched on first use (some 10 s), cached in .cache/. */
export async function newerCurl(): Promise<string> {
  const { stdout } = await run(script, [], { timeoutMs: 110_000 });
  return stdout.trim();
}
