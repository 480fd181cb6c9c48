/**
 * The server's end of the control socket. Only this host's root and our own user get here (mode 0600), so that the bounds
 * on what they may ask are for mistakes, and for programs that stall.
 */
import { stat } from "node:fs/promises";
import type { Server, Socket } from "node:net";
import path from "node:path";
import { GssocksError, NetworkError, PeerError } from "../errors.js";
import type { ReloadOutcome } from "../server/reload-outcome.js";
import type { SessionInfo } from "../server/session-info.js";
import { listenUnix } from "../server/unix-socket.js";
import type { UpstreamInfo } from "../server/upstream-info.js";
import {
  CONTROL_VERSION,
  type ControlEnd,
  type ControlItem,
  type ControlRequest,
  type ControlTotal,
  MAX_REQUEST,
  matches,
  parseRequest,
} from "./control-message.js";

/** What the socket is there for. */
export interface Controlled {
  /** @throws GssocksError, and nothing has changed */
  reload(): Promise<ReloadOutcome>;
  sessions(): Promise<SessionInfo[]>;
  upstreams(): Promise<UpstreamInfo[]>;
  /** Of the sessions that have ended. */
  readonly ended: ControlTotal;
  /** @returns those that there were, ended by now */
  kill(sessions: readonly string[]): Promise<string[]>;
}

const MAX_CONNECTIONS = 64;

const TIMEOUT = 10_000;

const GROUP_OR_OTHERS_WRITE = 0o022;

export class ControlSocket {
  readonly #server: Server;
  readonly #controlled: Controlled;
  readonly #timeout: number;
  readonly #open = new Set<Socket>();

  /**
   * @param timeout for a request to come, and for the next octets of an answer to be taken; in ms
   * @throws NetworkError (CANNOT_LISTEN)
   */
  static async open(socket: string, controlled: Controlled, timeout = TIMEOUT): Promise<ControlSocket> {
    await checkParent(path.dirname(socket));
    return new ControlSocket(await listenUnix(socket, { allowHalfOpen: true }), controlled, timeout);
  }

  private constructor(server: Server, controlled: Controlled, timeout: number) {
    this.#server = server;
    this.#timeout = timeout;
    this.#controlled = controlled;
    server.maxConnections = MAX_CONNECTIONS;
    server.on("connection", (socket) => void this.#serve(socket));
  }

  /** Takes the socket away from the file system too. */
  close(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  async #serve(socket: Socket): Promise<void> {
    this.#open.add(socket);
    socket.on("error", () => {}).once("close", () => this.#open.delete(socket));
    const write = (answer: ControlItem | ControlEnd) =>
      send(socket, `${JSON.stringify(answer)}\n`, this.#timeout);
    let end: ControlEnd;
    try {
      end = {
        v: CONTROL_VERSION,
        ok: true,
        ...(await this.#answer(await requestOf(socket, this.#timeout), write)),
      };
    } catch (error) {
      end = { v: CONTROL_VERSION, ok: false, ...told(error) };
    }
    await write(end);
    socket.end();
    // Whoever has more to say is not waited for.
    socket.setTimeout(this.#timeout, () => socket.destroy()).resume();
  }

  async #answer(
    request: ControlRequest,
    write: (item: ControlItem) => Promise<void>,
  ): Promise<Omit<ControlEnd & { ok: true }, "v" | "ok">> {
    const controlled = this.#controlled;
    if (request.ask === "reload") return { reload: await controlled.reload() };
    if (request.ask === "upstreams") {
      for (const upstream of await controlled.upstreams()) await write({ upstream });
      return { total: withOpen(await controlled.sessions(), controlled.ended) };
    }
    if (request.ask === "kill") {
      const ids = "user" in request ? await this.#sessionsOf(request.user) : request.sessions;
      for (const ended of await controlled.kill(ids)) await write({ ended });
      return {};
    }
    const { user } = request;
    const time = performance.now();
    for (const session of await controlled.sessions()) {
      if (user === undefined || matches(session.principal ?? "", user)) await write({ session });
    }
    return { time };
  }

  async #sessionsOf(user: string): Promise<string[]> {
    const all = await this.#controlled.sessions();
    return all.filter(({ principal }) => principal === user).map(({ session }) => session);
  }
}

function withOpen(open: readonly SessionInfo[], ended: ControlTotal): ControlTotal {
  const total = { ...ended };
  for (const { bytesUp, bytesDown } of open) {
    total.sessions += 1;
    total.bytesUp += bytesUp;
    total.bytesDown += bytesDown;
  }
  return total;
}

/** Who may write the directory may put another socket in the place of ours. */
async function checkParent(directory: string): Promise<void> {
  const problem = await parentProblem(directory);
  if (problem !== null)
    throw new NetworkError("CANNOT_LISTEN", `no control socket in ${directory}: ${problem}`);
}

async function parentProblem(directory: string): Promise<string | null> {
  const { mode, uid } = (await stat(directory).catch(() => null)) ?? {};
  if (mode === undefined || uid === undefined) return "there is no such directory";
  if (uid !== 0 && uid !== process.geteuid?.()) return `it belongs to another user (uid ${uid})`;
  if ((mode & GROUP_OR_OTHERS_WRITE) === 0) return null;
  return `others may write there (mode ${(mode & 0o7777).toString(8).padStart(4, "0")}; 0755 or less is asked for)`;
}

/** @throws PeerError */
async function requestOf(socket: Socket, timeout: number): Promise<ControlRequest> {
  const line = await new Promise<Buffer>((resolve, reject) => {
    const received: Buffer[] = [];
    let length = 0;
    const fail = (message: string) => reject(new PeerError("CONTROL_REQUEST", message));
    const deadline = setTimeout(() => fail(`no whole line within ${timeout / 1000} s`), timeout);
    socket
      .on("data", (octets: Buffer) => {
        const end = octets.indexOf("\n");
        received.push(octets);
        length += end < 0 ? octets.length : end + 1;
        if (length > MAX_REQUEST) fail(`a line of more than ${MAX_REQUEST} octets`);
        else if (end >= 0) resolve(Buffer.concat(received).subarray(0, length - 1));
      })
      .once("end", () => fail("no whole line"))
      .once("close", () => {
        clearTimeout(deadline);
        fail("closed");
      });
  }).finally(() => socket.removeAllListeners("data").removeAllListeners("end"));
  return parseRequest(line.toString());
}

/** Fulfilled when there is room for more, or nobody reads any more. */
async function send(socket: Socket, line: string, timeout: number): Promise<void> {
  if (socket.destroyed || socket.write(line)) return;
  await new Promise<void>((resolve) => {
    const deadline = setTimeout(() => socket.destroy(), timeout);
    const over = () => {
      clearTimeout(deadline);
      socket.off("drain", over).off("close", over);
      resolve();
    };
    socket.on("drain", over).on("close", over);
  });
}

function told(error: unknown): { code: string; error: string } {
  if (error instanceof GssocksError) return { code: error.code, error: error.message };
  return { code: "INTERNAL", error: `internal error: ${(error as Error).message}` };
}
