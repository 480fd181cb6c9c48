/** The Python peers, over packages of Debian's that share no code with us: python3-gssapi, PySocks, requests, dnspython, pyftpdlib. */
import { fileURLToPath } from "node:url";
import { type Running, run, type StartOptions, start } from "./processes.js";

// Debian's own interpreter: another one on PATH would not have the package.
const python = "/usr/bin/python3";
const peers = fileURLToPath(new URL("../../../test/interop/peers/", import.meta.url));

export type Endpoint = readonly [host: string, port: number];
export type PeerFlag =
  | "mutual"
  | "replay"
  | "sequence"
  | "confidentiality"
  | "integrity"
  | "dce"
  | "delegate";

/** See test/interop/peers/initiator.py, where the defaults are. */
export interface InitiatorJob {
  proxy: Endpoint;
  target: Endpoint;
  service?: string;
  level?: number;
  nec?: boolean;
  mech?: "spnego";
  flags?: readonly PeerFlag[];
  send?: number;
  half_close?: boolean;
  misbehave?:
    | "request-split"
    | "data-in-request"
    | "replay"
    | "swap"
    | "tamper"
    | "truncate"
    | "integrity-only";
}

export interface InitiatorResult {
  /** How far it came: connect, method, context, level, request, data or done. */
  stage: string;
  legs?: number;
  flags?: number;
  agreed?: number;
  rep?: number;
  bound?: [host: string, port: number];
  echoed: number;
  same?: boolean;
  error?: string;
}

/** Runs the initiator for one connection; `env` holds the realm. */
export async function pythonInitiator(
  job: InitiatorJob,
  env: Readonly<Record<string, string>>,
): Promise<InitiatorResult> {
  const { stdout } = await run(python, [`${peers}initiator.py`, JSON.stringify(job)], { env: quiet(env) });
  return JSON.parse(stdout) as InitiatorResult;
}

/** See test/interop/peers/udp_initiator.py. */
export interface UdpInitiatorJob {
  proxy: Endpoint;
  targets: readonly Endpoint[];
  service?: string;
  level?: number;
  flags?: readonly PeerFlag[];
  count?: number;
  size?: number;
  misbehave?: "replay" | "fragment" | "clear" | "tamper" | "integrity-only";
}

export interface UdpInitiatorResult {
  /** How far it came: connect, method, context, level, request, data, end or done. */
  stage: string;
  agreed?: number;
  rep?: number;
  bound?: [host: string, port: number];
  answers?: [host: string, port: number, count: number][];
  closed?: boolean;
  error?: string;
}

/** Runs the UDP initiator for one association; `env` holds the realm. */
export async function pythonUdpInitiator(
  job: UdpInitiatorJob,
  env: Readonly<Record<string, string>>,
): Promise<UdpInitiatorResult> {
  const args = [`${peers}udp_initiator.py`, JSON.stringify(job)];
  const { stdout } = await run(python, args, { env: quiet(env) });
  return JSON.parse(stdout) as UdpInitiatorResult;
}

/** See test/interop/peers/acceptor.py. */
export interface AcceptorJob {
  answer?: number;
  nec?: boolean;
  misbehave?:
    | "empty-token"
    | "garbage-token"
    | "abort-token"
    | "abort-level"
    | "garbage-data"
    | "wrong-conf"
    | "trailing"
    | "cut";
}

export interface AcceptedConnection {
  initiator?: string;
  flags?: number;
  offered?: number;
  agreed?: number;
  target?: [host: string, port: number];
  up: number;
  down: number;
  error?: string;
}

export interface PythonAcceptor {
  readonly port: number;
  /** The record of the connection that ended as the `index`th (from 0); waits for it. */
  connection(index?: number): Promise<AcceptedConnection>;
  stop: Running["stop"];
}

/** Starts the acceptor; it listens on 127.0.0.1 when this is fulfilled. */
export async function pythonAcceptor(
  job: AcceptorJob,
  options: StartOptions & { env: Readonly<Record<string, string>> },
): Promise<PythonAcceptor> {
  const args = [`${peers}acceptor.py`, JSON.stringify(job)];
  const child = await start(python, args, { ...options, env: quiet(options.env) });
  const [, port] = await child.waitForLine(/^\{"port": (\d+)\}$/);
  return {
    port: Number(port),
    async connection(index = 0) {
      const line = await child.waitForLine(new RegExp(`^\\{"ended": ${index}, .*`));
      return JSON.parse(line[0]) as AcceptedConnection;
    },
    stop: child.stop,
  };
}

/** See test/interop/peers/pysocks.py, where the defaults are. */
export interface PysocksJob {
  version: 4 | 5;
  proxy: Endpoint;
  target: Endpoint;
  remote_dns?: boolean;
  user?: string;
  password?: string;
  udp?: boolean;
  send?: number;
}

/** Runs PySocks for one exchange with an echo. */
export async function pysocks(job: PysocksJob): Promise<{ echoed: number; error: string | null }> {
  const { stdout } = await run(python, [`${peers}pysocks.py`, JSON.stringify(job)], { env: quiet({}) });
  return JSON.parse(stdout);
}

/** See test/interop/peers/through.py. */
export type ThroughJob =
  | {
      way: "requests-socks5h" | "requests-socks4a" | "requests-http" | "urllib";
      proxy?: Endpoint;
      urls: readonly string[];
      authority: string;
    }
  | { way: "dnspython"; proxy: Endpoint; names: readonly string[]; server: Endpoint };

/** Fetches pages, or asks a DNS server, by programs of Python's. */
export async function pythonThrough(
  job: ThroughJob,
  env: Readonly<Record<string, string>> = {},
): Promise<unknown[]> {
  const { stdout } = await run(python, [`${peers}through.py`, JSON.stringify(job)], { env: quiet(env) });
  return JSON.parse(stdout);
}

/** Starts pyftpdlib's server with write access for `anonymous`; it listens on 127.0.0.1 when this is fulfilled. */
export async function pythonFtpServer(test: StartOptions["test"], directory: string): Promise<number> {
  const args = [
    "-m",
    "pyftpdlib",
    "--interface=127.0.0.1",
    "--port=0",
    `--directory=${directory}`,
    "--write",
  ];
  const child = await start(python, args, { env: quiet({}), ...(test && { test }) });
  const [, port] = await child.waitForLine(/starting FTP server on 127\.0\.0\.1:(\d+)/);
  return Number(port);
}

/** No bytecode beside the sources. */
function quiet(env: Readonly<Record<string, string>>): Record<string, string> {
  return { ...env, PYTHONDONTWRITEBYTECODE: "1" };
}
