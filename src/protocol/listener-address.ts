/** Where a server listens, as its configuration says it. */
import { formatEndpoint, parseHost } from "./address.js";

export interface TcpListenerAddress {
  /** An IP address; `::` listens on every address of both families. */
  readonly host: string;
  /** 0 for one that the system picks. */
  readonly port: number;
}

export type ListenerAddress =
  | TcpListenerAddress
  /** The path of a Unix socket, for this very user. */
  | { readonly unix: string }
  /** A socket that systemd has opened for us, by its FileDescriptorName= (sd_listen_fds(3)). */
  | { readonly systemd: string; readonly descriptor?: number };

/** The one text of an address, however it was written: `[::]:1080` for `*:1080`. */
export function listenerAddressText(address: ListenerAddress): string {
  if ("unix" in address) return `unix:${address.unix}`;
  if ("systemd" in address) return `systemd:${address.systemd}`;
  return formatEndpoint({ host: parseHost(address.host), port: address.port });
}
