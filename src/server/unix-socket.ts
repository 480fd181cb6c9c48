/** A Unix socket that only its owner may open, at a path where a process that has ended may have left one. */
import { lstat, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type ServerOpts } from "node:net";
import { NetworkError } from "../errors.js";

/**
 * What is left there by a process that has ended is replaced, nothing else. Closing the server takes the socket away.
 * @throws NetworkError (CANNOT_LISTEN)
 */
export async function listenUnix(path: string, options: ServerOpts = {}): Promise<Server> {
  const server = createServer(options);
  let error = await listen(server, path);
  if (error?.code === "EADDRINUSE" && (await isLeftOver(path))) {
    await unlink(path).catch(() => {});
    error = await listen(server, path);
  }
  if (error !== null) throw cannotListen(path, error);
  server.on("error", () => {});
  return server;
}

/** The socket has its mode from the beginning: only its owner may ask. */
function listen(server: Server, path: string): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => resolve(error);
    server.once("error", failed);
    const umask = process.umask(0o177);
    server.listen({ path }, () => {
      server.off("error", failed);
      resolve(null);
    });
    process.umask(umask);
  });
}

/** Whether `path` is a socket at which nobody listens any more. */
async function isLeftOver(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  if (!found?.isSocket()) return false;
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}

function cannotListen(path: string, error: NodeJS.ErrnoException): NetworkError {
  const remedy: Readonly<Record<string, string>> = {
    EADDRINUSE: "another program listens there, or it is no socket",
    ENOENT: "there is no such directory",
    EACCES: "the directory may not be written by this user",
  };
  const why = remedy[error.code ?? ""];
  const message = `can't listen on ${path}: ${error.code ?? error.message}${why === undefined ? "" : ` (${why})`}`;
  return new NetworkError("CANNOT_LISTEN", message, { cause: error });
}
