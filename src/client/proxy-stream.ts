/** The caller's end of a connection through the proxy: a Duplex of plain octets over the sealed socket. */
import { NetworkError } from "../errors.js";
import type { SecurityContext } from "../gss/security-context.js";
import type { MessageProtection } from "../relay/message-protection.js";
import { ProtectedStream } from "../relay/protected-stream.js";
import type { Opened, ProxySession } from "./handshake.js";

export class ProxyStream extends ProtectedStream {
  readonly session: ProxySession;
  readonly #protection: MessageProtection;
  readonly #context: SecurityContext | null;

  /** Takes over what was opened. */
  constructor({ socket, context, protection, session, rest }: Opened) {
    super(socket, protection, rest, lost);
    this.session = session;
    this.#protection = protection;
    this.#context = context;
  }

  /** Plain octets, to the destination and from it. */
  get carried(): { up: number; down: number } {
    return { up: this.bytesWritten, down: this.bytesRead };
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    super._destroy(error, (error) => {
      this.#protection.close();
      this.#context?.close();
      callback(error);
    });
  }
}

/** @param why the code of a socket's error, or what else is known */
export function lost(why: string, cause?: Error): NetworkError {
  const message = `the connection to the proxy broke: ${why}`;
  return new NetworkError("CONNECTION_LOST", message, cause === undefined ? {} : { cause });
}
