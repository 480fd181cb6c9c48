/** What a server says of its upstreams, and what that comes to. */
import { askServer } from "../control/control-client.js";
import type { ControlTotal } from "../control/control-message.js";
import type { UpstreamInfo } from "../server/upstream-info.js";

export interface UpstreamLook {
  total: ControlTotal;
  upstreams: UpstreamInfo[];
}

/** @param path of the control socket. @throws what askServer does */
export async function lookAtUpstreams(path: string): Promise<UpstreamLook> {
  const upstreams: UpstreamInfo[] = [];
  const { total } = await askServer(path, { ask: "upstreams" }, (item) => {
    if ("upstream" in item) upstreams.push(item.upstream);
  });
  return { total: total ?? { sessions: 0, bytesUp: 0, bytesDown: 0 }, upstreams };
}

const NO_TICKET = 3;
const NO_PROXY = 4;

/** What `--help` says of {@link verdictOn}. */
export const VERDICTS = `0 all can be used, 1 failed, 2 bad command line or configuration,
${NO_TICKET} an upstream has no ticket that can be used, ${NO_PROXY} all proxies of an upstream are down`;

/** An exit status. */
export function verdictOn(upstreams: readonly UpstreamInfo[]): number {
  if (upstreams.some(({ ticket }) => ticket !== null && ticket.error !== null)) return NO_TICKET;
  return upstreams.some(isDown) ? NO_PROXY : 0;
}

/** Where none is known as yet, nobody has looked. */
function isDown({ srv, proxies }: UpstreamInfo): boolean {
  if (proxies.length === 0) return srv !== null && srv.error !== null;
  return proxies.every(({ state }) => state === "down");
}
