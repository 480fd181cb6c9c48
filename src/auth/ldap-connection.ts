/**
 * A connection to a directory on which passwords may be sent: TLS, ours alone, and over after a time.
 *
 * ldapts speaks LDAP on it. The sockets are ours, because ldapts by itself would connect again, in clear, where the
 * connection breaks after StartTLS, would read what somebody put behind the answer to StartTLS as if it had come through
 * TLS, and would compare the certificate with `localhost`.
 */
import { connect, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { Client, ResultCodeError } from "ldapts";
import { GssocksError, NetworkError } from "../errors.js";

export interface DirectoryServer {
  /** `ldaps://host[:port]`; with `ldap://` StartTLS comes before anything else. */
  readonly url: string;
  /** Certificates in PEM that its own may be signed with; Node's where absent. */
  readonly ca?: string | undefined;
  /** For everything together, in ms. */
  readonly timeout: number;
}

/** The answer to StartTLS takes some 40. */
const MOST_IN_CLEAR = 4096;

/** @throws NetworkError (LDAP_FAILED); what else `use` throws of ours stays as it is */
export async function withDirectory<T>(
  server: DirectoryServer,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const sockets = new DirectorySockets(server);
  const client = new Client({
    url: server.url,
    timeout: server.timeout,
    connectTimeout: server.timeout,
    createConnection: sockets.connect as typeof connect,
    createSecureConnection: sockets.secure as typeof connectTls,
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no answer within ${server.timeout / 1000} s`)),
        server.timeout,
      );
    });
    const session = async () => {
      if (sockets.startTls) await client.startTLS();
      const result = await use(client);
      // A farewell, or the directory's log would call each connection lost.
      await client.unbind().catch(() => {});
      return result;
    };
    return await Promise.race([session(), late]);
  } catch (error) {
    throw error instanceof GssocksError ? error : failed(server, error);
  } finally {
    clearTimeout(timer);
    sockets.close();
  }
}

/** One TCP connection and one TLS connection, never another. */
class DirectorySockets {
  readonly startTls: boolean;
  readonly #host: string;
  readonly #port: number;
  readonly #tls: ConnectionOptions;
  #plain: Socket | null = null;
  #secure: TLSSocket | null = null;
  #inClear: Buffer = Buffer.alloc(0);

  constructor({ url, ca }: DirectoryServer) {
    const { protocol, hostname, port } = new URL(url);
    this.startTls = protocol !== "ldaps:";
    this.#host = hostname.replace(/^\[(.*)\]$/, "$1");
    this.#port = Number(port) || (this.startTls ? 389 : 636);
    this.#tls = {
      host: this.#host,
      ...(isIP(this.#host) === 0 && { servername: this.#host }),
      ...(ca !== undefined && { ca }),
      minVersion: "TLSv1.2",
      rejectUnauthorized: true,
    };
  }

  readonly connect = (): Socket => {
    if (this.#plain !== null) throw new Error("the connection was lost");
    this.#plain = connect(this.#port, this.#host).on("data", this.#onData);
    return this.#plain;
  };

  readonly secure = (): TLSSocket => {
    if (this.#secure !== null) throw new Error("the connection was lost");
    if (!this.startTls) {
      this.#secure = connectTls({ ...this.#tls, port: this.#port });
      return this.#secure;
    }
    if (this.#plain === null || this.#inClear.length !== messageLength(this.#inClear))
      throw new Error("there is more in clear than the answer to StartTLS");
    this.#secure = connectTls({ ...this.#tls, socket: this.#plain.off("data", this.#onData) });
    return this.#secure;
  };

  close(): void {
    for (const socket of [this.#secure, this.#plain]) {
      // ldapts takes all listeners off where TLS fails.
      socket?.on("error", () => {}).destroy();
    }
  }

  readonly #onData = (octets: Buffer): void => {
    this.#inClear = Buffer.concat([this.#inClear, octets]);
    if (this.#inClear.length > MOST_IN_CLEAR)
      this.#plain?.destroy(new Error("more in clear than an answer to StartTLS"));
  };
}

/** Of the LDAPMessage that begins the octets (RFC 4511 §5.1); NaN where that can't be told. */
function messageLength(octets: Buffer): number {
  const first = octets[1] ?? Number.NaN;
  if (octets[0] !== 0x30) return Number.NaN;
  if (first < 0x80) return 2 + first;
  const size = first & 0x7f;
  return size >= 1 && size <= 4 && octets.length >= 2 + size
    ? 2 + size + octets.readUIntBE(2, size)
    : Number.NaN;
}

/** A text with parts that a directory sent, fit for a log. */
export function printable(text: string): string {
  return text
    .replace(/\p{Cc}+/gu, " ")
    .trim()
    .slice(0, 500);
}

function failed({ url }: DirectoryServer, error: unknown): NetworkError {
  const says = error instanceof ResultCodeError ? "answers" : "can't be asked";
  const { code, message } = error as NodeJS.ErrnoException;
  // Where several addresses have failed, Node's error has a code alone.
  const text = printable(`the directory ${url} ${says}: ${message === "" ? code : message}`);
  return new NetworkError("LDAP_FAILED", text, { cause: error });
}
