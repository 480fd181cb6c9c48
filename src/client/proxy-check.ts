/** Whether a proxy can be spoken to, as far as that can be told without saying who we are. */
import { PolicyError } from "../errors.js";
import { METHOD_NUMBERS } from "../protocol/client-machine.js";
import { METHOD } from "../protocol/constants.js";
import { encodeMethods, takeMethod } from "../protocol/method-selection.js";
import { ReceiveBuffer } from "../protocol/receive-buffer.js";
import { lostProxy, openChannel, timedOut } from "./proxy-channel.js";
import { methodsOf, type ProxyOptions } from "./proxy-options.js";

/** Milliseconds for all of it. */
const TIMEOUT = 5000;

/** More than the two octets of an answer is no matter of ours. */
const RECEIVE_LIMIT = 65536;

/**
 * Connects, by TLS where the options say so, and has a SOCKS5 proxy select one of our methods (RFC 1928 §3). No token
 * and no name is sent.
 * @throws NetworkError, PolicyError (NO_ACCEPTABLE_METHOD, PIN_MISMATCH …), PeerError (BAD_VERSION)
 */
export async function checkProxy(options: ProxyOptions, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + TIMEOUT;
  const left = () => Math.max(1, deadline - performance.now());
  const { socket } = await openChannel({ ...options, signal }, left);
  if (options.protocol === "http") return void socket.destroy();
  let timer: NodeJS.Timeout | undefined;
  const stop = () => socket.destroy();
  try {
    signal.addEventListener("abort", stop, { once: true });
    await new Promise<void>((resolve, reject) => {
      const received = new ReceiveBuffer(RECEIVE_LIMIT);
      const lost = (error: NodeJS.ErrnoException) => reject(lostProxy(options.proxy, error));
      timer = setTimeout(() => reject(timedOut(options.proxy)), left());
      socket
        .on("error", lost)
        .on("close", () => lost(new Error("it was closed before a method was selected")))
        .on("data", (octets) => {
          try {
            received.append(octets);
            const method = takeMethod(received);
            if (method === METHOD.NO_ACCEPTABLE) throw noMethod();
            if (method !== null) resolve();
          } catch (error) {
            reject(error);
          }
        });
      socket.resume();
      socket.write(encodeMethods(methodsOf(options).map((method) => METHOD_NUMBERS[method])));
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    socket.on("error", () => {}).destroy();
  }
}

function noMethod(): PolicyError {
  return new PolicyError(
    "NO_ACCEPTABLE_METHOD",
    "the proxy takes no method that we offer (it answered 05 ff)",
  );
}
