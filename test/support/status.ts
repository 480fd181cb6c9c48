/** `gssocks forward --status`, asked as scripts do. */
import type { ForwarderStatus } from "../../src/cli/forward-status.js";
import { gssocks } from "./gssocks.js";

export interface AskedStatus extends ForwarderStatus {
  /** The exit status. */
  code: number | null;
}

/** @param env with the forwarder's XDG_RUNTIME_DIR */
export async function askStatus(env: Readonly<Record<string, string | undefined>>): Promise<AskedStatus> {
  const { code, stdout, stderr } = await gssocks(["forward", "--status", "--json"], { env });
  if (stderr !== "") throw new Error(stderr);
  return { code, ...(JSON.parse(stdout) as ForwarderStatus) };
}
