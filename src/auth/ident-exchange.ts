/** One query to an identd, over TCP or a Unix socket, and its one response. */
import { connect, type NetConnectOpts } from "node:net";
import { type GssocksError, NetworkError, PeerError, PolicyError } from "../errors.js";
import {
  formatPair,
  type IdentErrorType,
  type IdentResponse,
  MAX_IDENT_LINE,
  type PortPair,
  takeIdentResponse,
} from "../protocol/ident-message.js";
import { ReceiveBuffer } from "../protocol/receive-buffer.js";

export interface Identd {
  /** What errors call it, as `192.0.2.1:113`. */
  readonly name: string;
  readonly connect: NetConnectOpts;
}

/** The identd answered, but does not tell. */
export class IdentRefusedError extends PolicyError {
  readonly kind: IdentErrorType;

  constructor(identd: string, kind: IdentErrorType, how: string) {
    super("IDENT_REFUSED", `the identd at ${identd} ${how}`);
    this.kind = kind;
  }
}

/**
 * Runs `run` with a signal that is aborted when `timeout` ms have passed (IDENT_UNAVAILABLE) or when `outer` is
 * (IDENT_ABORTED); the signal's reason is the NetworkError to throw.
 */
export async function withDeadline<T>(
  identd: Identd,
  timeout: number,
  outer: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const give = (code: string, message: string) => deadline.abort(new NetworkError(code, message));
  const late = () =>
    give("IDENT_UNAVAILABLE", `no answer from the identd at ${identd.name} within ${timeout / 1000} s`);
  const aborted = () => give("IDENT_ABORTED", `given up before the identd at ${identd.name} answered`);
  const timer = setTimeout(late, timeout);
  outer?.addEventListener("abort", aborted, { once: true });
  if (outer?.aborted) aborted();
  try {
    return await run(deadline.signal);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener("abort", aborted);
  }
}

/**
 * @param query what is sent to ask for `ports`
 * @param signal aborted with the error that the exchange is to fail with, whatever it waits for
 * @throws NetworkError (IDENT_UNAVAILABLE), IdentRefusedError where it closes without an answer, PeerError where what
 *   it says is no response, or one for other ports; the signal's reason
 */
export function exchangeIdent(
  identd: Identd,
  ports: PortPair,
  query: Buffer,
  signal: AbortSignal,
): Promise<IdentResponse> {
  const { name } = identd;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const received = new ReceiveBuffer(MAX_IDENT_LINE);
    const socket = connect({ noDelay: true, ...identd.connect });
    let connected = false;
    const aborted = () => fail(signal.reason);
    const finish = () => {
      signal.removeEventListener("abort", aborted);
      socket.removeAllListeners().on("error", () => {});
      socket.destroy();
    };
    const fail = (error: GssocksError) => {
      finish();
      reject(error);
    };
    // RFC 1413 §5: a close before the end of the line, in order or not, stands for UNKNOWN-ERROR.
    const closed = () => fail(new IdentRefusedError(name, "UNKNOWN-ERROR", "closed without an answer"));
    signal.addEventListener("abort", aborted, { once: true });
    socket
      .on("connect", () => {
        connected = true;
        socket.write(query);
      })
      .on("error", (error: NodeJS.ErrnoException) => {
        if (connected) return closed();
        const message = `no identd answers at ${name}: ${error.code ?? error.message}`;
        fail(new NetworkError("IDENT_UNAVAILABLE", message, { cause: error }));
      })
      .on("end", closed)
      .on("data", (octets) => {
        try {
          received.append(octets);
          const response = takeIdentResponse(received);
          if (response === null) return;
          checkPorts(response, ports);
          finish();
          resolve(response);
        } catch (error) {
          if (!(error instanceof PeerError)) throw error;
          fail(new PeerError(error.code, `the identd at ${name}: ${error.message}`, { cause: error }));
        }
      });
  });
}

function checkPorts(response: PortPair, asked: PortPair): void {
  if (response.portOnServer === asked.portOnServer && response.portOnClient === asked.portOnClient) return;
  throw new PeerError(
    "IDENT_WRONG_PORTS",
    `the answer is for ports ${formatPair(response)}, the query was for ${formatPair(asked)}`,
  );
}
