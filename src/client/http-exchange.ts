/**
 * One CONNECT to an HTTP proxy and its answer (RFC 9110 §9.3.6), by Node's own strict parser; the connection stays ours
 * whatever the answer is.
 */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { GssocksError, PeerError } from "../errors.js";

/** Of the head of an answer. */
const MAX_HEAD = 65_536;

/** Of the page that comes with a refusal, where the connection is to be used again. */
const MAX_BODY = 65_536;

export interface Answer {
  status: number;
  /** The lines of each field, by its name in lower case. */
  fields: NodeJS.Dict<string[]>;
  /** What has come behind the head: the destination's octets, or the beginning of a page. */
  head: Buffer;
  /** Whether another request may follow, once the page is out of the way. */
  lasting: boolean;
}

/**
 * The connection is paused afterwards.
 * @param authority host and port, as `[2001:db8::1]:443`
 * @param signal destroys the connection; its reason is then the error, where it is one of ours
 * @throws PeerError (BAD_RESPONSE, CLOSED_EARLY), or what broke the connection
 */
export async function ask(
  socket: Socket,
  authority: string,
  fields: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer> {
  signal.throwIfAborted();
  const asked = request({
    createConnection: () => socket,
    method: "CONNECT",
    path: authority,
    headers: { Host: authority, "Proxy-Connection": "keep-alive", ...fields },
    setHost: false,
    maxHeaderSize: MAX_HEAD,
  });
  // Node would have the connection closed behind the answer.
  asked.removeHeader("connection");
  const gaveUp = () => asked.destroy();
  signal.addEventListener("abort", gaveUp, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      asked
        .once("socket", () => socket.resume())
        // However it answers: nothing but what follows the head tells a CONNECT that is granted from another.
        .once("connect", (message: IncomingMessage, _socket: unknown, head: Buffer) => {
          socket.pause();
          resolve({
            status: message.statusCode ?? 0,
            fields: message.headersDistinct,
            head,
            lasting: isLasting(message),
          });
        })
        .on("error", (error) => reject(signal.aborted ? signal.reason : badAnswer(error)))
        .end();
    });
  } finally {
    signal.removeEventListener("abort", gaveUp);
  }
}

/** RFC 9112 §9.3. Transfer codings are not undone: nobody needs one to refuse. */
function isLasting({ httpVersion, headersDistinct: fields }: IncomingMessage): boolean {
  const options = [...(fields.connection ?? []), ...(fields["proxy-connection"] ?? [])]
    .flatMap((value) => value.split(","))
    .map((option) => option.trim().toLowerCase());
  const kept = httpVersion === "1.1" ? !options.includes("close") : options.includes("keep-alive");
  return kept && fields["transfer-encoding"] === undefined && fields["content-length"] !== undefined;
}

/** Takes the page of a refusal off the connection, for another request to follow. @throws PeerError (BAD_RESPONSE) */
export async function skipPage(socket: Socket, { fields, head }: Answer, signal: AbortSignal): Promise<void> {
  const [text = ""] = fields["content-length"] ?? [];
  let left = /^\d{1,9}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  if (left > MAX_BODY)
    throw new PeerError("BAD_RESPONSE", `the proxy's refusal has a page of ${text} octets`);
  left -= head.length;
  while (left > 0) {
    if (socket.readableEnded || socket.destroyed) throw closed();
    const octets: Buffer | null = socket.read(Math.min(left, Math.max(1, socket.readableLength)));
    if (octets === null) await once(socket, "readable", { signal });
    else left -= octets.length;
  }
  if (left < 0 || socket.readableLength > 0)
    throw new PeerError("BAD_RESPONSE", "the proxy sent more than its answer");
}

function badAnswer(error: NodeJS.ErrnoException): Error {
  if (error instanceof GssocksError) return error;
  const code = error.code ?? "";
  if (code === "HPE_HEADER_OVERFLOW")
    return new PeerError("BAD_RESPONSE", `the head of the proxy's answer has more than ${MAX_HEAD} octets`);
  if (code.startsWith("HPE_"))
    return new PeerError("BAD_RESPONSE", `the proxy's answer is not HTTP (${code}): is it an HTTP proxy?`, {
      cause: error,
    });
  // What Node calls an end without an answer.
  return code === "ECONNRESET" && error.syscall === undefined ? closed(error) : error;
}

function closed(cause?: Error): PeerError {
  return new PeerError(
    "CLOSED_EARLY",
    "the proxy closed the connection in answer to our CONNECT: is it an HTTP proxy?",
    { cause },
  );
}
