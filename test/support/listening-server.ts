import { once } from "node:events";
import type { Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

/** Has a server of HTTP or HTTPS listen on 127.0.0.1 until the test ends. @returns the port */
export async function listeningServer(context: TestContext, server: Server | SecureServer): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
