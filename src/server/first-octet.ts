/** What a client says first tells its protocol: 0x05 and 0x04 are SOCKS, a letter begins a method of HTTP. */
import type { Socket } from "node:net";
import { NetworkError, PeerError } from "../errors.js";
import { clientLost } from "./client-lost.js";

/**
 * It stays to be read, and the socket is paused.
 * @param timeout milliseconds
 * @throws PeerError (CLOSED_EARLY, CONNECTION_LOST), NetworkError (HANDSHAKE_TIMEOUT)
 */
export function firstOctet(socket: Socket, timeout: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void) => {
      clearTimeout(deadline);
      socket.off("data", said).off("end", ended).off("error", lost).off("close", ended);
      done();
    };
    const said = (octets: Buffer) =>
      settle(() => {
        socket.pause();
        socket.unshift(octets);
        resolve(octets[0] as number);
      });
    const ended = () =>
      settle(() => reject(new PeerError("CLOSED_EARLY", "the client closed without a message")));
    const lost = (error: NodeJS.ErrnoException) => settle(() => reject(clientLost(error)));
    const late = () =>
      settle(() => {
        const reason = `the handshake took longer than ${timeout / 1000} s`;
        reject(new NetworkError("HANDSHAKE_TIMEOUT", reason));
      });
    const deadline = setTimeout(late, timeout);
    socket.on("data", said).on("end", ended).on("error", lost).on("close", ended);
  });
}

export function isHttp(octet: number): boolean {
  return octet >= 0x41 && octet <= 0x5a;
}
