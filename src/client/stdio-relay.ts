/** Standard input and output joined with a connection through the proxy, on a thread of the addon. */
import { isatty } from "node:tty";
import { getSystemErrorName } from "node:util";
import { NetworkError } from "../errors.js";
import { NativeRelay, type RelayOutcome } from "../gss/native-relay.js";
import { CLEAR, ContextProtection } from "../relay/message-protection.js";
import { outcomeError } from "../relay/relay-outcome.js";
import { descriptorOf, readSoFar } from "../relay/socket-descriptor.js";
import type { Opened } from "./handshake.js";
import { lost } from "./proxy-stream.js";

const STDIN = 0;
const STDOUT = 1;

/** Plain octets: to the destination, and from it. */
export interface Carried {
  up: number;
  down: number;
}

export interface StdioRelay {
  /**
   * Resolves when both directions have ended.
   * @throws (by the promise) NetworkError (CONNECTION_LOST; OUTPUT_CLOSED, OUTPUT_FAILED), PeerError
   */
  readonly done: Promise<void>;
  /** Up to now. */
  readonly carried: Carried;
}

/**
 * Takes over what was opened, and standard output with it: nothing can be printed there any more.
 * @returns null, and nothing was done, where this is not for the addon: a terminal, TLS, or tokens of the library
 */
export function relayStdio({ socket, context, protection, rest }: Opened): StdioRelay | null {
  const sealed = protection instanceof ContextProtection ? protection.lendable() : null;
  const client = descriptorOf(socket);
  // A terminal is shared with whoever started us, who may not expect that it does not block.
  if (client < 0 || isatty(STDIN) || isatty(STDOUT) || (sealed === null && protection !== CLEAR)) return null;
  const received = readSoFar(socket);
  const relay = NativeRelay.start({
    client,
    destination: STDIN,
    output: STDOUT,
    protection: sealed,
    toClient: Buffer.alloc(0),
    toDestination: rest,
    fromClient: sealed === null ? received : Buffer.concat([sealed.kept, received]),
    fromDestination: Buffer.alloc(0),
  });
  if (relay === null) {
    socket.unshift(received);
    return null;
  }
  socket.destroy();
  protection.close();
  context?.close();
  return {
    done: relay.done.then((outcome) => {
      const error = errorOf(outcome);
      if (error !== null) throw error;
    }),
    get carried() {
      // The proxy is the addon's client.
      const { up, down } = relay.carried;
      return { up: down, down: up };
    },
  };
}

function errorOf(outcome: RelayOutcome): Error | null {
  const { end, side, detail } = outcome;
  if (end === "ended") return null;
  if (end !== "broken") return outcomeError(outcome);
  const code = getSystemErrorName(-detail);
  if (side === "client") return lost(code);
  if (code === "EPIPE") return new NetworkError("OUTPUT_CLOSED", "standard output was closed");
  return new NetworkError("OUTPUT_FAILED", `standard output can't be written: ${code}`);
}
