/** `gssocks forward --status`: how a forwarder that runs fares. */
import { NetworkError } from "../errors.js";
import { print } from "./output.js";
import { amount } from "./quantities.js";
import { type RatedSession, ratedSessions } from "./rated-sessions.js";
import { Screen } from "./screen.js";
import { sessionTable } from "./session-table.js";
import { jsonLine } from "./terminal-text.js";
import { lookAtUpstreams, type UpstreamLook, verdictOn } from "./upstream-look.js";
import { upstreamTables } from "./upstream-table.js";

/** What `--json` prints. */
export interface ForwarderStatus extends UpstreamLook {
  /** The open ones. */
  sessions: RatedSession[];
}

/**
 * Once, or on a terminal until ^C. The exit status is the last look's verdict.
 * @param socket the forwarder's control socket
 * @throws NetworkError (NO_SERVER …)
 */
export async function showForwarder(socket: string, json: boolean): Promise<void> {
  const watch = process.stdout.isTTY && !json;
  const screen = new Screen(watch);
  try {
    for await (const sessions of ratedSessions(socket, { watch })) {
      const status: ForwarderStatus = { ...(await lookAtUpstreams(socket)), sessions };
      process.exitCode = verdictOn(status.upstreams);
      if (json) print(jsonLine(status));
      else screen.show(statusText(status));
    }
  } catch (error) {
    process.exitCode = undefined;
    if (!(error instanceof NetworkError) || error.code !== "NO_SERVER") throw error;
    throw new NetworkError(error.code, `no forwarder runs: ${error.message}`, { cause: error });
  } finally {
    screen.close();
  }
}

function statusText({ total, upstreams, sessions }: ForwarderStatus): string {
  const octets = `${amount(total.bytesUp)} up, ${amount(total.bytesDown)} down`;
  const parts = [
    `sessions: ${sessions.length} open, ${total.sessions} since the start; octets: ${octets}\n`,
    upstreamTables(upstreams),
    sessions.length === 0 ? "" : sessionTable(sessions),
  ];
  return parts.filter((part) => part !== "").join("\n");
}
