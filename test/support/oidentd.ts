/** Debian's oidentd, which knows the owner of every TCP connection of this host, and connections of other users to ask it about. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { TestContext } from "node:test";
import { Origin } from "./origin.js";
import { start } from "./processes.js";

/** Why a test with it is skipped: oidentd gives its rights up before it answers, and so do the makers of connections. */
export const needsRoot = process.getuid?.() === 0 ? false : "oidentd needs root";

/**
 * Serves on `host`, as inetd would: a process for each query, on the query's socket. Stopped when the test ends.
 * @param options of oidentd's command line
 * @param port the system picks it where it is 0
 * @returns the port
 */
export async function oidentd(
  test: TestContext,
  host: string,
  options: readonly string[] = [],
  port = 0,
): Promise<number> {
  const server: Server = createServer({ pauseOnConnect: true }, (socket) => {
    const quiet = ["--stdio", "--quiet", "--config", "/dev/null", "--user", "nobody", "--group", "nogroup"];
    const child = spawn("oidentd", [...quiet, ...options], { stdio: [socket, socket, "ignore"] });
    child.once("spawn", () => socket.destroy());
    child.once("error", () => socket.destroy());
    test.after(() => child.kill());
  });
  test.after(() => server.close());
  server.listen(port, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A TCP connection within this host. */
export interface OwnedConnection {
  /** The end that is owned by the user. */
  local: { address: string; port: number };
  remote: { address: string; port: number };
}

/** A connection made by netcat as `user`; it lasts until the test ends. Needs root. */
export async function connectionOf(
  test: TestContext,
  user: string,
  [from, to]: readonly [string, string],
): Promise<OwnedConnection> {
  const origin = await Origin.start((socket) => socket.resume(), to);
  const as = ["--reuid", user, "--clear-groups"];
  const netcat = await start("setpriv", [...as, "nc", "-v", "-s", from, to, String(origin.port)]);
  test.after(async () => {
    await netcat.stop();
    await origin.stop();
  });
  await netcat.waitForLine(/succeeded/);
  const [socket] = origin.sockets;
  if (socket === undefined) throw new Error("netcat's connection did not arrive");
  const { remotePort = 0 } = socket;
  return { local: { address: from, port: remotePort }, remote: { address: to, port: origin.port } };
}
