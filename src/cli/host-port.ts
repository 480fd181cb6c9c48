import { InvalidArgumentError } from "commander";
import type { HostPort } from "../client/handshake.js";

export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw new InvalidArgumentError("expected a port from 1 to 65535.");
  return port;
}

/** @param text IPv6 in brackets */
export function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError("expected HOST:PORT, as proxy.example.test:1080.");
  return { host: (match[1] ?? match[2]) as string, port: parsePort(match[3] as string) };
}
