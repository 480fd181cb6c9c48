/** The other end of the control socket, for the command line. */
import { connect, type Socket } from "node:net";
import { NetworkError, PeerError } from "../errors.js";
import {
  type ControlEnd,
  type ControlItem,
  type ControlRequest,
  encodeRequest,
  MAX_ANSWER_LINE,
  MAX_REQUEST,
  parseAnswer,
} from "./control-message.js";

/** Without an octet, in ms. A reload asks keytabs and directories, and waits for the one before. */
const TIMEOUT = 120_000;

/** The server said no. */
export class ControlError extends NetworkError {}

/**
 * @param item told of each line but the last
 * @throws NetworkError (NO_SERVER, CONTROL_DENIED, CONTROL_LOST), ControlError with the server's own code
 */
export async function askServer(
  path: string,
  request: ControlRequest,
  item: (item: ControlItem) => void = () => {},
): Promise<ControlEnd & { ok: true }> {
  const line = encodeRequest(request);
  if (Buffer.byteLength(line) > MAX_REQUEST)
    throw new PeerError("CONTROL_REQUEST", `the request has more than ${MAX_REQUEST} octets; ask for less`);
  const socket = await connectTo(path);
  try {
    socket.write(line);
    for await (const answer of linesOf(socket)) {
      const parsed = parseAnswer(answer);
      if (!("ok" in parsed)) item(parsed);
      else if (parsed.ok) return parsed;
      else throw new ControlError(parsed.code, parsed.error);
    }
    throw new NetworkError(
      "CONTROL_LOST",
      `the server at ${path} closed the connection without a whole answer`,
    );
  } finally {
    socket.destroy();
  }
}

function connectTo(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once("connect", () => resolve(socket.off("error", failed))).once("error", failed);
    function failed(error: NodeJS.ErrnoException): void {
      const denied = error.code === "EACCES" || error.code === "EPERM";
      const why =
        { ENOENT: "there is no such socket", ECONNREFUSED: "no server listens there any more" }[
          error.code ?? ""
        ] ?? (denied ? "only the server's user and root may" : error.message);
      reject(
        new NetworkError(
          denied ? "CONTROL_DENIED" : "NO_SERVER",
          `can't ask the server at ${path}: ${error.code} (${why})`,
          { cause: error },
        ),
      );
    }
  });
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = "";
  socket.setTimeout(TIMEOUT, () =>
    socket.destroy(new NetworkError("CONTROL_LOST", `no answer within ${TIMEOUT / 1000} s`)),
  );
  socket.setEncoding("utf8");
  try {
    for await (const text of socket as AsyncIterable<string>) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
      if (rest.length > MAX_ANSWER_LINE)
        throw new PeerError("CONTROL_ANSWER", `a line of more than ${MAX_ANSWER_LINE} characters`);
    }
  } catch (error) {
    if (error instanceof NetworkError || error instanceof PeerError) throw error;
    throw new NetworkError("CONTROL_LOST", `the connection broke: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
