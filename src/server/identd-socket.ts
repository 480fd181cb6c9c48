/**
 * The serving process' end of `gssocks identd`: a Unix socket on which that process asks who is behind a connection. One
 * connection a query: a line of `protocol/ident-lookup`, answered with a response of RFC 1413. ERROR : NO-USER means
 * that the connection is none of the proxy's.
 */
import type { Server, Socket } from "node:net";
import { PeerError } from "../errors.js";
import { type IdentLookup, takeIdentLookup } from "../protocol/ident-lookup.js";
import {
  encodeIdentResponse,
  type IdentResult,
  MAX_IDENT_LINE,
  toUserId,
} from "../protocol/ident-message.js";
import { ReceiveBuffer } from "../protocol/receive-buffer.js";
import type { FindOwner, Owner } from "./outgoing.js";
import { listenUnix } from "./unix-socket.js";

/** Only this host's root and our own user get here; the bounds are for mistakes. */
const MAX_CONNECTIONS = 1024;
const TIMEOUT = 10_000;

export interface IdentdSocketOptions {
  /** The socket's path; what is left there by a process that has ended is replaced. */
  socket: string;
  /** What stands for a user: the name, or the session's id. */
  answer: "user" | "token";
}

export class IdentdSocket {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #answer: IdentdSocketOptions["answer"];
  readonly #find: FindOwner;

  /** @throws NetworkError (CANNOT_LISTEN) */
  static async open({ socket, answer }: IdentdSocketOptions, find: FindOwner): Promise<IdentdSocket> {
    const server = await listenUnix(socket);
    server.maxConnections = MAX_CONNECTIONS;
    return new IdentdSocket(server, answer, find);
  }

  private constructor(server: Server, answer: IdentdSocketOptions["answer"], find: FindOwner) {
    this.#server = server;
    this.#answer = answer;
    this.#find = find;
    server.on("connection", (socket) => this.#serve(socket));
  }

  /** Takes the socket away from the file system too. */
  close(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.#open.add(socket);
    const deadline = setTimeout(() => socket.destroy(), TIMEOUT);
    const received = new ReceiveBuffer(MAX_IDENT_LINE);
    socket
      .on("error", () => {})
      .on("close", () => {
        clearTimeout(deadline);
        this.#open.delete(socket);
      })
      .on("data", (octets) => {
        try {
          received.append(octets);
          const lookup = takeIdentLookup(received);
          if (lookup !== null) void this.#respond(socket.removeAllListeners("data"), lookup);
        } catch (error) {
          if (!(error instanceof PeerError)) throw error;
          socket.destroy();
        }
      });
  }

  async #respond(socket: Socket, lookup: IdentLookup): Promise<void> {
    const { portOnServer, portOnClient, addressOnServer, addressOnClient } = lookup;
    const local = { address: addressOnServer, port: portOnServer };
    const owner = await this.#find(local, { address: addressOnClient, port: portOnClient });
    socket.end(encodeIdentResponse({ portOnServer, portOnClient, ...toResult(owner, this.#answer) }));
  }
}

function toResult(owner: Owner | null, answer: IdentdSocketOptions["answer"]): IdentResult {
  if (owner === null) return { type: "ERROR", error: "NO-USER" };
  const { session, user } = owner;
  if (answer === "token") return { type: "USERID", opsys: "OTHER", charset: null, userId: session };
  // Ours, but nobody's: not to be passed on to an identd that would name the proxy's own user.
  if (user === null || user === "") return { type: "ERROR", error: "HIDDEN-USER" };
  const userId = toUserId(localPart(user));
  return {
    type: "USERID",
    // What is no user name as mail and finger know them is not to be taken for one (§5).
    opsys: /\s/.test(userId) ? "OTHER" : "UNIX",
    charset: /^[ -~]*$/.test(userId) ? null : "UTF-8",
    userId,
  };
}

/** A principal without its realm; an `@` within a name is written `\@` (krb5_unparse_name). */
function localPart(principal: string): string {
  const [name = ""] = /^(?:\\.|[^\\@])+/s.exec(principal) ?? [];
  return name === "" ? principal : name;
}
