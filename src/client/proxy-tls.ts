/** TLS to the proxy: who it must be, and what binds GSS-API to the session. */
import { createHash, type X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { type ConnectionOptions, connect } from "node:tls";
import { NetworkError, PolicyError } from "../errors.js";
import { exporterBindings, serverEndPointBindings } from "../relay/channel-bindings.js";
import { carriedBy } from "../relay/cut-off.js";

export interface ProxyTlsOptions {
  /** Authorities (PEM) in place of the system's. */
  ca?: string | Buffer | undefined;
  /** SHA-256 of the proxy's public key (SubjectPublicKeyInfo) in base64: no other key is taken. */
  pin?: string | undefined;
  /** The name its certificate must bear; default the proxy's host as given. */
  servername?: string | undefined;
  /** What GSS-API is bound to (RFC 5056). Default `tls-server-end-point`. */
  channelBindings?: "tls-server-end-point" | "tls-exporter" | undefined;
}

/** What the SOCKS handshake goes through. */
export interface ProxyChannel {
  socket: Socket;
  /** For GSS-API; undefined without TLS. */
  bindings: Buffer | undefined;
}

/**
 * The handshake over a connected socket, within the signal's time.
 * @throws NetworkError (TLS_FAILED), PolicyError (PIN_MISMATCH, NO_CHANNEL_BINDINGS)
 */
export async function secure(
  socket: Socket,
  host: string,
  { ca, pin, servername, channelBindings }: ProxyTlsOptions,
  signal: AbortSignal,
): Promise<ProxyChannel> {
  const options: ConnectionOptions = { socket, host, servername: servername ?? host, minVersion: "TLSv1.2" };
  // An address is no server name (RFC 6066 §3); it is still checked against the certificate.
  if (/^[0-9.]+$|:/.test(options.servername as string)) options.servername = "";
  if (ca !== undefined) options.ca = ca;
  const secured = connect(options);
  const gaveUp = () => secured.destroy(new Error("it took too long"));
  signal.addEventListener("abort", gaveUp, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      secured.once("secureConnect", resolve).once("error", reject);
    });
  } catch (error) {
    throw tlsFailed(host, error as Error);
  } finally {
    signal.removeEventListener("abort", gaveUp);
  }
  carriedBy(secured, socket);
  try {
    // Once: Node's client takes the certificate out of the session when it gives it.
    const certificate = secured.getPeerX509Certificate();
    if (certificate === undefined) throw tlsFailed(host, new Error("the proxy shows no certificate"));
    if (pin !== undefined) checkPin(certificate, pin);
    const bindings =
      channelBindings === "tls-exporter"
        ? exporterBindings(secured)
        : serverEndPointBindings(certificate.raw);
    return { socket: secured.pause(), bindings };
  } catch (error) {
    secured.destroy();
    throw error;
  }
}

function checkPin({ publicKey }: X509Certificate, pin: string): void {
  const key = publicKey.export({ type: "spki", format: "der" });
  const hash = createHash("sha256").update(key).digest("base64");
  if (hash === pin.replace(/^sha256\/\//, "")) return;
  throw new PolicyError(
    "PIN_MISMATCH",
    `the proxy's public key is sha256//${hash}, not the one that was pinned`,
  );
}

function tlsFailed(host: string, error: Error & { code?: string }): NetworkError {
  const code = error.code === undefined ? "" : ` (${error.code})`;
  return new NetworkError("TLS_FAILED", `TLS to the proxy ${host} failed: ${error.message}${code}`, {
    cause: error,
  });
}
