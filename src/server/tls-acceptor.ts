/** TLS on a listener: handshakes on sockets that were accepted already, and certificates that are renewed meanwhile. */
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Socket } from "node:net";
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import type { ChannelBindings } from "../auth/gssapi.js";
import {
  type CertificateName,
  certificateIdentity,
  certificateSubject,
  type Identity,
} from "../auth/identity.js";
import { NetworkError, PeerError } from "../errors.js";
import { exporterBindings, serverEndPointBindings } from "../relay/channel-bindings.js";
import { carriedBy } from "../relay/cut-off.js";

export interface TlsOptions {
  /** PEM files. */
  certificate: string;
  key: string;
  /** Authorities whose client certificates are taken; no certificate is asked for where absent. */
  clientAuthorities?: string | undefined;
  /** Refuse clients without a certificate. */
  clientCertificate: "required" | "optional";
  /** What of a client's certificate names the user. */
  clientIdentity: CertificateName;
  minVersion: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's list; Node's default where absent. */
  ciphers?: string | undefined;
  channelBindings: { type: "tls-server-end-point" | "tls-exporter"; required: boolean };
}

/** Milliseconds between two looks at the files; they are read once nothing has changed from one to the next. */
const LOOK_AGAIN = 1000;

export class TlsAcceptor {
  readonly #options: TlsOptions;
  readonly #server: Server;
  readonly #waiting = new Map<string, (outcome: TLSSocket | Error) => void>();
  readonly #renewed: (failure: Error | null) => void;
  readonly #timer: NodeJS.Timeout;
  #certificate: X509Certificate;
  /** Of the files that are in use, and as they were last seen. */
  #version: { used: string; seen: string };

  /**
   * @param renewed told when files that changed were taken, or why not: those before go on to be used
   * @throws NetworkError (TLS_FILES) where a file can't be read or used
   */
  constructor(options: TlsOptions, renewed: (failure: Error | null) => void) {
    this.#options = options;
    this.#renewed = renewed;
    const version = versionOf(options);
    this.#version = { used: version, seen: version };
    const context = contextOf(options);
    this.#certificate = new X509Certificate(context.cert as Buffer);
    this.#server = createServer({
      ...context,
      requestCert: options.clientAuthorities !== undefined,
      rejectUnauthorized: options.clientCertificate === "required",
    });
    this.#server
      .on("secureConnection", (socket) => this.#settle(socket, socket))
      .on("tlsClientError", (error, socket) => this.#settle(socket, error));
    this.#timer = setInterval(() => this.#look(), LOOK_AGAIN).unref();
  }

  /**
   * The handshake on a socket that was accepted. Whoever calls bounds its time by destroying the socket.
   * @throws PeerError (TLS_HANDSHAKE)
   */
  async accept(socket: Socket): Promise<TLSSocket> {
    const key = keyOf(socket);
    try {
      const outcome = await new Promise<TLSSocket | Error>((resolve) => {
        this.#waiting.set(key, resolve);
        socket.once("close", () => resolve(new Error(this.#gone)));
        // Whoever leaves during the handshake is gone; half-closing comes later.
        socket.allowHalfOpen = false;
        this.#server.emit("connection", socket);
      });
      if (!(outcome instanceof Error)) {
        carriedBy(outcome, socket);
        outcome.allowHalfOpen = true;
        return outcome;
      }
      throw new PeerError("TLS_HANDSHAKE", `the TLS handshake failed: ${reasonOf(outcome)}`, {
        cause: outcome,
      });
    } finally {
      this.#waiting.delete(key);
    }
  }

  /** Who the client's certificate says it is; null where there is none that an authority of ours stands behind. */
  identity(socket: TLSSocket): Identity | null {
    const certificate = certificateOf(socket);
    return certificate === null ? null : certificateIdentity(certificate, this.#options.clientIdentity);
  }

  /** Its subject, most specific part first; null as above. */
  subject(socket: TLSSocket): readonly string[] | null {
    const certificate = certificateOf(socket);
    return certificate === null ? null : certificateSubject(certificate);
  }

  /** @throws PolicyError (NO_CHANNEL_BINDINGS) where the session's version has none of the type configured */
  bindings(socket: TLSSocket): ChannelBindings {
    const { type, required } = this.#options.channelBindings;
    const data =
      type === "tls-exporter" ? exporterBindings(socket) : serverEndPointBindings(this.#certificate.raw);
    return { data, required };
  }

  /** Node closes on a required certificate that it does not trust without a word to either side. */
  get #gone(): string {
    return this.#options.clientCertificate === "required"
      ? "the client closed the connection, or none of tls.clientAuthorities stands behind its certificate"
      : "the client closed the connection";
  }

  #settle(socket: TLSSocket, outcome: TLSSocket | Error): void {
    this.#waiting.get(keyOf(socket))?.(outcome);
  }

  /** No further handshakes; idempotent. */
  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    try {
      const version = versionOf(this.#options);
      const settled = version === this.#version.seen;
      this.#version.seen = version;
      if (!settled || version === this.#version.used) return;
      this.#version.used = version;
      const context = contextOf(this.#options);
      this.#server.setSecureContext(context);
      this.#certificate = new X509Certificate(context.cert as Buffer);
      this.#renewed(null);
    } catch (error) {
      this.#renewed(error as Error);
    }
  }
}

function certificateOf(socket: TLSSocket): X509Certificate | null {
  return (socket.authorized ? socket.getPeerX509Certificate() : undefined) ?? null;
}

/** The two ends of a connection tell it from all others while it is open, through either of its socket objects. */
function keyOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

function filesOf({ certificate, key, clientAuthorities }: TlsOptions): string[] {
  return [certificate, key, ...(clientAuthorities === undefined ? [] : [clientAuthorities])];
}

/** Changes when a file does. */
function versionOf(options: TlsOptions): string {
  return filesOf(options)
    .map((file) => reading(file, () => statSync(file)))
    .map(({ mtimeMs, ino, size }) => `${ino} ${size} ${mtimeMs}`)
    .join(", ");
}

function contextOf(options: TlsOptions): SecureContextOptions {
  const [cert, key, ca] = filesOf(options).map((file) => reading(file, () => readFileSync(file)));
  const { minVersion, ciphers } = options;
  return { cert, key, ca, minVersion, ...(ciphers === undefined ? {} : { ciphers }) };
}

function reading<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new NetworkError("TLS_FILES", `${file} can't be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** OpenSSL's own word for it, as `no shared cipher`. */
function reasonOf(error: Error & { reason?: string; code?: string }): string {
  return error.reason ?? error.message;
}
